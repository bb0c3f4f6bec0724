package faults

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"hearth/conformance"
	"hearth/internal/testenv"
)

// limited is a server under a limit of the system's, and what lifts it from
// the next start on.
func limited(c *conformance.Client, limit string) (under *conformance.Client, lift func()) {
	t := c.T
	t.Helper()
	script := filepath.Join(t.TempDir(), "hearth")
	write := func(limit string) {
		text := fmt.Sprintf("#!/bin/sh\n%s\nexec %q \"$@\"\n", limit, c.Binary)
		if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(limit)
	return conformance.Connect(t, testenv.Serve(t, script)), func() { write("") }
}

// createNotebook gives the same notebook again when it is asked again.
func createNotebook(c *conformance.Client, n int) (id string, err error) {
	name, token := fmt.Sprint("notebook ", n), fmt.Sprintf("00000000-0000-0000-0000-%012d", n)
	answer, err := c.Athena.CreateNotebook(c.Ctx, &athena.CreateNotebookInput{
		WorkGroup: aws.String("primary"), Name: &name, ClientRequestToken: &token,
	}, conformance.Once)
	if err != nil {
		return "", err
	}
	return *answer.NotebookId, nil
}

func haveNotebooks(c *conformance.Client, acknowledged []string) {
	c.T.Helper()
	for _, id := range acknowledged {
		if _, err := c.Athena.GetNotebookMetadata(c.Ctx, &athena.GetNotebookMetadataInput{NotebookId: &id}); err != nil {
			c.T.Errorf("what was acknowledged is not there: %v", err)
		}
	}
}

// diskFull writes until no file may grow any more, which is what a full disk
// looks like to a database.
func diskFull(t *testing.T, c *conformance.Client) {
	c, lift := limited(c, "ulimit -f 600")
	var acknowledged []string
	var failure error
	for n := 0; failure == nil; n++ {
		var id string
		if id, failure = createNotebook(c, n); failure == nil {
			acknowledged = append(acknowledged, id)
		}
		if n > 1000 {
			t.Fatal("the limit never came")
		}
	}
	refusal, ok := errors.AsType[*types.InternalServerException](failure)
	if !ok || !strings.Contains(refusal.ErrorMessage(), "The server's database") || !strings.Contains(refusal.ErrorMessage(), "disk") || strings.Contains(refusal.ErrorMessage(), c.Home) {
		t.Errorf("the refusal is %v", failure)
	}
	t.Logf("after %d: %v", len(acknowledged), failure)
	bucket, key := aws.String("hearth"), aws.String("too large")
	_, failure = c.S3.PutObject(c.Ctx, &s3.PutObjectInput{Bucket: bucket, Key: key, Body: bytes.NewReader(make([]byte, 2<<20))})
	if failure == nil || !strings.Contains(failure.Error(), "ServiceUnavailable") || !strings.Contains(failure.Error(), "disk") {
		t.Errorf("an object that has no room: %v", failure)
	}
	if _, err := c.S3.HeadObject(c.Ctx, &s3.HeadObjectInput{Bucket: bucket, Key: key}); err == nil {
		t.Error("half of an object is there")
	}
	conformance.Same(t, "temporary files", len(conformance.Must(os.ReadDir(filepath.Join(c.Home, "objects", ".new")))(t)), 0)
	haveNotebooks(c, acknowledged) // reads go on
	answer := conformance.Must(http.Get(c.URL + "/ok"))(t)
	answer.Body.Close()
	conformance.Same(t, "the status of /ok", answer.StatusCode, http.StatusOK)

	c.Stop()
	lift()
	c.Start()
	haveNotebooks(c, acknowledged)
	if _, err := createNotebook(c, len(acknowledged)); err != nil {
		t.Errorf("asked again, what was refused: %v", err)
	}
}

// descriptorsExhausted holds so many connections that the server has no file
// descriptor left.
func descriptorsExhausted(t *testing.T, c *conformance.Client) {
	const limit = 48
	c, _ = limited(c, fmt.Sprint("ulimit -n ", limit))
	var record struct{ PID int }
	if err := json.Unmarshal(conformance.Must(os.ReadFile(filepath.Join(c.Home, "server.json")))(t), &record); err != nil {
		t.Fatal(err)
	}
	first := conformance.Must(createNotebook(c, 0))(t)
	address := strings.TrimPrefix(c.URL, "http://")
	var held []net.Conn
	for range 2 * limit {
		held = append(held, conformance.Must(net.Dial("tcp", address))(t))
	}
	descriptors := func() int {
		return len(conformance.Must(os.ReadDir(fmt.Sprintf("/proc/%d/fd", record.PID)))(t))
	}
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	deadline := time.After(conformance.Patience)
	for descriptors() < limit {
		select {
		case <-again.C:
		case <-deadline:
			t.Fatalf("the server has %d file descriptors", descriptors())
		}
	}
	acknowledged := []string{first}
	id, err := createNotebook(c, 1) // on the connection of before
	if err == nil {
		acknowledged = append(acknowledged, id)
	}
	t.Logf("meanwhile: %v", err)
	for _, conn := range held {
		conn.Close()
	}
	acknowledged = append(acknowledged, conformance.Must(createNotebook(c, 2))(t))
	haveNotebooks(c, acknowledged)
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", record.PID)); err != nil {
		t.Errorf("the server has ended: %v", err)
	}
}
