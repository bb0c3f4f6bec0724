package spark

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// javaReader answers each line, a properties file in base64, with what
// java.util.Properties reads in it.
const javaReader = `
import base64, json, sys
from py4j.java_gateway import JavaGateway, launch_gateway, GatewayParameters
port = launch_gateway(jarpath=sys.argv[1], java_path=sys.argv[2], die_on_exit=True)
jvm = JavaGateway(gateway_parameters=GatewayParameters(port=port)).jvm
for line in sys.stdin:
    read = jvm.java.util.Properties()
    read.load(jvm.java.io.InputStreamReader(jvm.java.io.ByteArrayInputStream(base64.b64decode(line)), "UTF-8"))
    print(json.dumps({key: read.getProperty(key) for key in read.stringPropertyNames()}), flush=True)
`

func TestProperties(t *testing.T) {
	engine := realEngine(t)
	jars, err := filepath.Glob(filepath.Join(engine.SparkHome, "jars", "py4j-*.jar"))
	if err != nil || len(jars) != 1 {
		t.Fatal(jars, err)
	}
	reader := exec.CommandContext(t.Context(), engine.Python.Program, "-c", javaReader, jars[0], engine.Java.Program)
	var complaint strings.Builder
	reader.Stderr = &complaint
	in, err := reader.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := reader.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := reader.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		in.Close()
		if err := reader.Wait(); err != nil {
			t.Errorf("%v: %s", err, complaint.String())
		}
	}()
	answers := bufio.NewReader(out)
	read := func(text []byte) (map[string]string, error) {
		if _, err := fmt.Fprintln(in, base64.StdEncoding.EncodeToString(text)); err != nil {
			return nil, err
		}
		line, err := answers.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return nil, err
		}
		values := make(map[string]string)
		return values, json.Unmarshal(line, &values)
	}

	t.Run("Java reads what was written", func(t *testing.T) {
		text := rapid.OneOf(
			rapid.String(),
			rapid.StringMatching(`[ \t\f\r\n=:#!\\a"'€😀\x00-]*`),
		)
		rapid.Check(t, func(t *rapid.T) {
			want := rapid.MapOfN(text, text, 0, 5).Draw(t, "properties")
			got, err := read(properties(want))
			if err != nil {
				t.Fatal(err)
			}
			if !maps.Equal(got, want) {
				t.Fatalf("wrote %q, and Java read %q from:\n%s", want, got, properties(want))
			}
		})
	})
}
