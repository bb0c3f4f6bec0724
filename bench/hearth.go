package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"hearth"
	"hearth/internal/access"
	"hearth/internal/athena"
	"hearth/internal/sigv4"
)

// server is a hearth serve on a scratch directory.
type server struct {
	address string
	command *exec.Cmd
	keys    sigv4.Credentials
}

const region = "us-east-1"

func (b *bench) startHearth(ctx context.Context) (*server, error) {
	data := filepath.Join(b.scratch, "data")
	log, err := os.Create(filepath.Join(b.scratch, "hearth.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	command := exec.Command(b.binary, "serve", "--listen", address, "--data", data, "--end-sessions-on-exit")
	command.Stderr = log
	if err := command.Start(); err != nil {
		return nil, err
	}
	s := &server{address: "http://" + address, command: command}
	if err := awaitOK(ctx, s.address+"/ok"); err != nil {
		return nil, errors.Join(fmt.Errorf("hearth serve did not get ready, see %s: %w", log.Name(), err), s.stop())
	}
	keys, err := access.Open(data)
	if err != nil {
		return nil, errors.Join(err, s.stop())
	}
	root := keys.Root()
	s.keys = sigv4.Credentials{AccessKeyID: root.AccessKeyID, SecretAccessKey: root.SecretAccessKey}
	return s, nil
}

func (s *server) stop() error {
	return end(s.command)
}

// end asks a process to end and waits for it.
func end(command *exec.Cmd) error {
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := command.Wait(); err != nil && command.ProcessState == nil {
		return err
	}
	return nil
}

// request makes a signed request of the Athena API.
func (s *server) request(ctx context.Context, operation string, while string, input any) (*http.Request, []byte, error) {
	body, err := json.Marshal(input)
	if err != nil {
		return nil, nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.address+"/", bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "AmazonAthena."+operation)
	if while != "" {
		r.Header.Set(athena.HoldHeader, while)
	}
	sigv4.Sign(r, body, s.keys, region, "athena", time.Now())
	return r, body, nil
}

func (s *server) call(ctx context.Context, operation, while string, input, output any) error {
	r, _, err := s.request(ctx, operation, while, input)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", operation, text)
	}
	if output == nil {
		return nil
	}
	return json.Unmarshal(text, output)
}

type status struct {
	Status struct {
		State             string
		StateChangeReason string
	}
}

// session starts a session with properties of Spark, and waits until it is IDLE.
func (s *server) session(ctx context.Context, properties map[string]string) (string, error) {
	var started struct{ SessionId, State string }
	input := map[string]any{"WorkGroup": hearth.WorkGroupPrimary, "EngineConfiguration": map[string]any{"MaxConcurrentDpus": 2, "SparkProperties": properties}}
	if err := s.call(ctx, "StartSession", "", input, &started); err != nil {
		return "", err
	}
	_, err := s.await(ctx, "GetSessionStatus", map[string]any{"SessionId": started.SessionId}, started.State, string(hearth.SessionIdle))
	return started.SessionId, err
}

// calculate submits code and waits until it is COMPLETED.
func (s *server) calculate(ctx context.Context, session, code string) error {
	var started struct{ CalculationExecutionId, State string }
	input := map[string]any{"SessionId": session, "CodeBlock": code}
	if err := s.call(ctx, "StartCalculationExecution", "", input, &started); err != nil {
		return err
	}
	_, err := s.await(ctx, "GetCalculationExecutionStatus", map[string]any{"CalculationExecutionId": started.CalculationExecutionId},
		started.State, string(hearth.CalculationCompleted))
	return err
}

func (s *server) await(ctx context.Context, operation string, input map[string]any, state, want string) (status, error) {
	var now status
	for state != want {
		if err := s.call(ctx, operation, state, input, &now); err != nil {
			return now, err
		}
		state = now.Status.State
		if state != want && (hearth.SessionState(state).Ended() || hearth.CalculationState(state).Ended()) {
			return now, fmt.Errorf("%v is %s: %s", input, state, now.Status.StateChangeReason)
		}
	}
	return now, nil
}

func (s *server) terminate(ctx context.Context, session string) error {
	input := map[string]any{"SessionId": session}
	if err := s.call(ctx, "TerminateSession", "", input, nil); err != nil {
		return err
	}
	_, err := s.await(ctx, "GetSessionStatus", input, string(hearth.SessionTerminating), string(hearth.SessionTerminated))
	return err
}

// awaitOK waits until a server answers at all.
func awaitOK(ctx context.Context, url string) error {
	ctx, stop := context.WithTimeout(ctx, 10*time.Minute) // an engine may have to be installed
	defer stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		answer, err := http.Get(url)
		if err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK || strings.HasSuffix(url, "/") {
				return nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}
