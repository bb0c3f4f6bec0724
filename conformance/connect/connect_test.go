// Package connect has the stories of Spark Connect: Spark's own clients, as they
// come from PyPI, and the real binary.
package connect

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"

	"hearth"
	"hearth/conformance"
	"hearth/internal/testenv"
)

// TestHearth is of conformance's kind. Its servers have a session of each Spark,
// and a client of each.
func TestHearth(t *testing.T) {
	binary := testenv.Binary(t)
	for _, server := range []struct {
		name       string
		properties map[string]string // of its sessions
		stories    []story
	}{
		{"a server", nil, []story{
			// What the server has in memory is measured before others have used it.
			{"much data", muchData},
			{"Athena's steps", steps},
			{"every client, all at once", everyday},
			{"a busy session", busy},
			{"what is refused", refusals},
		}},
		{
			"a server that is away for a while",
			// An answer is read in pieces, each of which goes on with the one before.
			map[string]string{"spark.connect.execute.reattachable.senderMaxStreamSize": "10m"},
			[]story{
				{"a token that expires", expiry},
				{"a restart", restart},
			},
		},
	} {
		t.Run(server.name, func(t *testing.T) {
			w := newWorld(t, binary, server.properties)
			for _, story := range server.stories {
				t.Run(story.name, func(t *testing.T) { story.tell(t, w.In(t)) })
			}
		})
	}
}

type story struct {
	name string
	tell func(*testing.T, *world)
}

// pair is a session, and the client that its Spark comes with.
type pair struct {
	spark   string
	session string
	python  string // the client's
}

type world struct {
	*conformance.Client
	pairs []pair
}

// In is the world of a test within another.
func (w *world) In(t *testing.T) *world { return &world{w.Client.In(t), w.pairs} }

// newWorld starts a server whose address for Spark Connect stays the same, and
// its sessions: without properties, one of them as the README says.
func newWorld(t *testing.T, binary string, properties map[string]string) *world {
	t.Helper()
	listener := conformance.Must(net.Listen("tcp", "127.0.0.1:0"))(t)
	settings := filepath.Join(t.TempDir(), "hearth.toml")
	text := fmt.Sprintf("connect_listen = %q\n", listener.Addr())
	if err := os.WriteFile(settings, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	listener.Close()
	c := conformance.Connect(t, testenv.Serve(t, binary, "--config", settings))
	w := &world{c, []pair{{spark: "3.5.7", python: testenv.ConnectClient(t)}, {spark: "4.1.2", python: testenv.ConnectClient41(t)}}}
	w.pairs[1].session = c.OnSpark41("spark-4.1").Launch(func(r *athena.StartSessionInput) {
		if properties != nil {
			r.EngineConfiguration.Classifications = []types.Classification{{Name: aws.String("spark-defaults"), Properties: properties}}
		}
	})
	if properties == nil {
		w.pairs[0].session = w.readme()
	} else {
		w.pairs[0].session = w.Launch(func(r *athena.StartSessionInput) { r.EngineConfiguration.SparkProperties = properties })
	}
	return w
}

// endpoint asks for a session's, and gives what Athena's clients make of it, but
// for the port, which is not theirs.
func (w *world) endpoint(session string) string {
	w.T.Helper()
	e := conformance.Must(w.Athena.GetSessionEndpoint(w.Ctx, &athena.GetSessionEndpointInput{SessionId: &session}))(w.T)
	if end := aws.ToTime(e.AuthTokenExpirationTime); end.Before(time.Now()) || end.After(time.Now().Add(hearth.DefaultConnectTokenTTL)) {
		w.T.Errorf("the token expires at %v", end)
	}
	return strings.Replace(aws.ToString(e.EndpointUrl), "https", "sc", 1) + "/;use_ssl=true;" +
		"x-aws-proxy-port=15002;x-aws-force-h2=true;x-aws-proxy-auth=" + aws.ToString(e.AuthToken)
}

// client is a client's program that runs.
type client struct {
	t              *testing.T
	command        *exec.Cmd
	out, complaint bytes.Buffer
}

// start has a client's Python run a program.
func (w *world) start(python string, args ...string) *client {
	w.T.Helper()
	c := &client{t: w.T, command: exec.CommandContext(w.Ctx, python, args...)}
	c.command.Env = w.ClientEnv()
	c.command.Stdout, c.command.Stderr = &c.out, &c.complaint
	if err := c.command.Start(); err != nil {
		w.T.Fatal(err)
	}
	return c
}

// begin starts a program in which there is a session of Spark's, made with the
// session's endpoint.
func (w *world) begin(p pair, code string) *client {
	w.T.Helper()
	return w.start(p.python, "-c", connected(w.endpoint(p.session), code))
}

func connected(remote, code string) string {
	return fmt.Sprintf("from pyspark.sql import SparkSession\nspark = SparkSession.builder.remote(%q).getOrCreate()\n", remote) + code
}

// says waits for the end of a program, and gives what it has printed.
func (c *client) says() string {
	c.t.Helper()
	if err := c.command.Wait(); err != nil {
		c.t.Fatalf("%v\n%s", err, c.complaint.String())
	}
	return c.out.String()
}

// steps are those of AWS's documentation, without its pause; and what calculations
// and Connect have of each other.
func steps(t *testing.T, w *world) {
	for _, p := range w.pairs {
		t.Run(p.spark, func(t *testing.T) {
			w := w.In(t)
			got := w.begin(p, `
print(spark.version)
spark.range(3).createOrReplaceGlobalTempView("made_by_connect")
spark.stop()
`).says()
			conformance.Same(t, "what the client says", got, p.spark+"\n")
			w.AwaitSession(p.session, types.SessionStateIdle)
			if used := aws.ToInt64(w.Session(p.session).Statistics.DpuExecutionInMillis); used <= 0 {
				t.Errorf("the session used %d DPU milliseconds", used)
			}
			conformance.Same(t, "what a calculation says", w.Run(p.session, `print(spark.table("global_temp.made_by_connect").count())`), "3\n")
		})
	}
	t.Run("the command prints the address", func(t *testing.T) {
		w, p := w.In(t), w.pairs[0]
		out := conformance.Must(w.Command("connect", p.session).Output())(t)
		got := w.start(p.python, "-c", connected(strings.TrimSpace(string(out)), "print(spark.range(5).count())")).says()
		conformance.Same(t, "what the client says", got, "5\n")
	})
}

// busy has a session wait for an operation until it is interrupted.
func busy(t *testing.T, w *world) {
	for _, p := range w.pairs {
		t.Run(p.spark, func(t *testing.T) {
			w, gate := w.In(t), conformance.NewGate(t)
			first := w.begin(p, `
import threading
def work():
    try:
        spark.range(0, 1, 1, 1).selectExpr("java_method('java.lang.Thread', 'sleep', 120000L)").collect()
        print("it went on")
    except Exception as e:
        print("OPERATION_CANCELED" in str(e) or e)
thread = threading.Thread(target=work)
thread.start()
`+gate.Code()+`
spark.interruptAll()
thread.join()
`)
			w.AwaitSession(p.session, types.SessionStateBusy)
			gate.Reached()
			refusal := conformance.Refused(w.Athena.StartCalculationExecution(w.Ctx, &athena.StartCalculationExecutionInput{SessionId: &p.session, CodeBlock: aws.String("1")}))(t)
			conformance.Same(t, "Message", refusal.ErrorMessage(), "Session is in the BUSY state; needs to be IDLE to accept Calculations.")
			conformance.Same(t, "what another client says", w.begin(p, "print(spark.range(2).count())").says(), "2\n")
			gate.Open()
			conformance.Same(t, "what the first one says", first.says(), "True\n")
			w.AwaitSession(p.session, types.SessionStateIdle)
		})
	}
}

// tried tells how a client was refused. It does not try again what is
// PERMISSION_DENIED.
const tried = `
def tried(spark):
    try:
        spark.range(1).count()
    except Exception as e:
        print("PERMISSION_DENIED" in str(e), " ".join(str(e).split()))
`

// refusals ends the sessions.
func refusals(t *testing.T, w *world) {
	for _, p := range w.pairs {
		t.Run(p.spark, func(t *testing.T) {
			w, gate, good := w.In(t), conformance.NewGate(t), w.endpoint(p.session)
			cases := []struct{ name, remote, says string }{
				{"no token", good[:strings.LastIndex(good, ";")], "The call has no token."},
				{"a truncated token", good[:len(good)-1], "The token is not known"},
				{"a token with a byte more", good + "A", "The token is not known"},
				{"a session that has ended", good, p.session + " is in the STOPPED state"},
			}
			code := tried + "from pyspark.sql import SparkSession\n"
			for i, c := range cases {
				if i == len(cases)-1 {
					code += gate.Code()
				}
				code += fmt.Sprintf("tried(SparkSession.builder.remote(%q).create())\n", c.remote)
			}
			client := w.start(p.python, "-c", code)
			gate.Reached()
			conformance.Must(w.Athena.TerminateSession(w.Ctx, &athena.TerminateSessionInput{SessionId: &p.session}))(t)
			w.AwaitSession(p.session, types.SessionStateTerminated)
			gate.Open()
			said := strings.Split(client.says(), "\n")
			for i, c := range cases {
				t.Run(c.name, func(t *testing.T) {
					if got := said[i]; !strings.HasPrefix(got, "True ") || !strings.Contains(got, c.says) {
						t.Errorf("the client says %s", got)
					}
				})
			}
			refusal := conformance.Refused(w.Athena.GetSessionEndpoint(w.Ctx, &athena.GetSessionEndpointInput{SessionId: &p.session}))(t)
			if !strings.Contains(refusal.ErrorMessage(), "STOPPED state") {
				t.Errorf("GetSessionEndpoint says %s", refusal.ErrorMessage())
			}
		})
	}
}
