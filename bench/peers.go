package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"hearth/internal/sigv4"
)

// plainPyspark is what somebody without Hearth runs: from the start of the
// program to the first count.
const plainPyspark = `
from pyspark.sql import SparkSession
spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
assert spark.range(1).count() == 1
print("counted", flush=True)
spark.stop()
`

// pyspark runs plainPyspark and gives the time until it has counted.
func (b *bench) pyspark(ctx context.Context) (time.Duration, error) {
	begin := time.Now()
	command := exec.CommandContext(ctx, b.engine.Python.Program, "-c", plainPyspark)
	command.Dir = b.scratch
	command.Env = append(os.Environ(), "PYSPARK_PYTHON="+b.engine.Python.Program, "JAVA_HOME="+b.engine.Java.Home)
	out, err := command.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := command.Start(); err != nil {
		return 0, err
	}
	line := make([]byte, len("counted"))
	_, err = out.Read(line)
	took := time.Since(begin)
	if err = errors.Join(err, command.Wait()); err != nil || string(line) != "counted" {
		return 0, fmt.Errorf("plain pyspark did not count (%q): %w", line, err)
	}
	return took, nil
}

// moto is pinned, so that its figure means the same tomorrow.
const moto = "moto[server]==5.2.1"

// startMoto installs moto into the scratch directory and serves it.
func (b *bench) startMoto(ctx context.Context) (url string, command *exec.Cmd, err error) {
	venv := filepath.Join(b.scratch, "moto")
	for _, step := range [][]string{
		{b.engine.Python.Program, "-m", "venv", venv},
		{filepath.Join(venv, "bin", "python"), "-m", "pip", "install", "--quiet", moto},
	} {
		if out, err := exec.CommandContext(ctx, step[0], step[1:]...).CombinedOutput(); err != nil {
			return "", nil, fmt.Errorf("%v: %w\n%s", step, err, out)
		}
	}
	address, err := freeAddress()
	if err != nil {
		return "", nil, err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", nil, err
	}
	command = exec.Command(filepath.Join(venv, "bin", "moto_server"), "-H", "127.0.0.1", "-p", port)
	if err := command.Start(); err != nil {
		return "", nil, err
	}
	url = "http://" + address
	if err := awaitOK(ctx, url+"/"); err != nil {
		return "", nil, errors.Join(err, end(command))
	}
	return url, command, nil
}

// versitygw is pinned, too.
const versitygw = "github.com/versity/versitygw/cmd/versitygw@v1.8.0"

// startVersitygw builds versitygw and serves a folder of the scratch directory.
func (b *bench) startVersitygw(ctx context.Context) (*server, error) {
	programs := filepath.Join(b.scratch, "programs")
	build := exec.CommandContext(ctx, "go", "install", versitygw)
	build.Env = append(os.Environ(), "GOBIN="+programs)
	build.Dir = b.scratch
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("install %s: %w\n%s", versitygw, err, out)
	}
	buckets, users := filepath.Join(b.scratch, "versitygw"), filepath.Join(b.scratch, "versitygw-users")
	if err := errors.Join(os.Mkdir(buckets, 0o700), os.Mkdir(users, 0o700)); err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	keys := sigv4.Credentials{AccessKeyID: "benchmark", SecretAccessKey: "benchmark"}
	command := exec.Command(filepath.Join(programs, "versitygw"), "--access", keys.AccessKeyID, "--secret", keys.SecretAccessKey,
		"--port", address, "--iam-dir", users, "--health", "/ok", "posix", buckets)
	log, err := os.Create(filepath.Join(b.scratch, "versitygw.log")) // a line for each request, as hearth writes
	if err != nil {
		return nil, err
	}
	defer log.Close()
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		return nil, err
	}
	s := &server{address: "http://" + address, command: command, keys: keys}
	if err := awaitOK(ctx, s.address+"/ok"); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// startBare serves, in a process of its own, the least that a JSON service in
// Go can do.
func (b *bench) startBare(ctx context.Context) (url string, command *exec.Cmd, err error) {
	address, err := freeAddress()
	if err != nil {
		return "", nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	command = exec.Command(self, "bare-server", address)
	if err := command.Start(); err != nil {
		return "", nil, err
	}
	url = "http://" + address
	if err := awaitOK(ctx, url+"/"); err != nil {
		return "", nil, errors.Join(err, end(command))
	}
	return url, command, nil
}

// bareAnswer has the members and the size of a GetSessionStatus answer.
type bareAnswer struct {
	SessionID string `json:"SessionId"`
	Status    struct {
		State                                          string
		StartDateTime, LastModifiedDateTime, IdleSince float64
	}
}

func serveBare(address string) error {
	return http.ListenAndServe(address, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ SessionID string }
		if r.Method == http.MethodPost {
			if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
		}
		answer := bareAnswer{SessionID: asked.SessionID}
		answer.Status.State = "IDLE"
		answer.Status.StartDateTime, answer.Status.LastModifiedDateTime, answer.Status.IdleSince = 1700000000.123, 1700000000.456, 1700000000.456
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		text, err := json.Marshal(answer)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Write(text)
	}))
}

// motoRequest asks moto for a workgroup: it has no session operations.
func motoRequest(ctx context.Context, url string) (*http.Request, []byte, error) {
	body := []byte(`{"WorkGroup":"primary"}`)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/", bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "AmazonAthena.GetWorkGroup")
	sigv4.Sign(r, body, sigv4.Credentials{AccessKeyID: "testing", SecretAccessKey: "testing"}, region, "athena", time.Now())
	return r, body, nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
