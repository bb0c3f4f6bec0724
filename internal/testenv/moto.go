package testenv

import (
	"context"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

const moto = "moto[server]==5.2.1"

// ServeMoto starts moto, which answers to the APIs of S3, Glue, STS and more
// of AWS, and is nobody's of ours. It is empty, knows no key pair and so takes
// every one, and ends with the test. Its URL is http://127.0.0.1:PORT.
func ServeMoto(t testing.TB) (url string) {
	t.Helper()
	program := filepath.Join(virtualEnvironment(t, []string{moto}), "bin", "moto_server")
	command := exec.Command(program, "-H", "127.0.0.1", "-p", "0") // a port that it takes itself
	var log Log
	command.Stdout, command.Stderr = &log, &log
	endWithParent(command)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		command.Process.Kill()
		command.Wait()
	})
	return awaitURL(t, &log)
}

// motoURL is how moto says where it listens, which it does by then.
var motoURL = regexp.MustCompile(`Running on (http://127\.0\.0\.1:\d+)`)

func awaitURL(t testing.TB, log *Log) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		if m := motoURL.FindStringSubmatch(log.String()); m != nil {
			return m[1]
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("%s did not say within %v where it listens:\n%s", moto, patience, log)
		}
	}
}
