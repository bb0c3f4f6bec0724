package conformance

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"
)

// logs looks for the log of a session where its workgroup's
// MonitoringConfiguration wants it.
func logs(t *testing.T, c *client) {
	monitoring := &types.MonitoringConfiguration{
		CloudWatchLoggingConfiguration: &types.CloudWatchLoggingConfiguration{
			Enabled: aws.Bool(true), LogGroup: aws.String("/aws-athena/logs"), LogTypes: map[string][]string{"SPARK_DRIVER": {"STDERR"}},
		},
		S3LoggingConfiguration: &types.S3LoggingConfiguration{Enabled: aws.Bool(true), LogLocation: aws.String("s3://hearth/kept/")},
	}
	must(c.athena.CreateWorkGroup(c.ctx, &athena.CreateWorkGroupInput{
		Name: aws.String("logs"),
		Configuration: &types.WorkGroupConfiguration{
			EngineVersion:           &types.EngineVersion{SelectedEngineVersion: aws.String("PySpark engine version 3")},
			ExecutionRole:           aws.String("arn:aws:iam::123456789012:role/hearth"),
			ResultConfiguration:     &types.ResultConfiguration{OutputLocation: aws.String("s3://hearth/results/")},
			MonitoringConfiguration: monitoring,
		},
	}))(t)
	in := func(r *athena.StartSessionInput) { r.WorkGroup = aws.String("logs") }
	id := c.launch(in)
	followed := follow(t, c.Command("sessions", "logs", id, "-f"))
	interrupted := follow(t, c.Command("sessions", "logs", id, "--follow"))
	c.awaitSession(id, types.SessionStateIdle)

	t.Run("followed while it is written", func(t *testing.T) {
		c.in(t).run(id, "sc.setLogLevel('INFO')\nspark.range(10).count()")
		followed.await(t, "INFO Executor: Finished task")
		interrupted.await(t, " finished: count at ")
	})
	t.Run("Ctrl-C ends the following and nothing else", func(t *testing.T) {
		if err := interrupted.command.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		interrupted.rest(t)
		same(t, "exit status", interrupted.command.ProcessState.ExitCode(), 130)
		same(t, "State", c.in(t).session(id).Status.State, types.SessionStateIdle)
	})

	must(c.athena.TerminateSession(c.ctx, &athena.TerminateSessionInput{SessionId: &id}))(t)
	c.awaitSession(id, types.SessionStateTerminated)
	followed.rest(t)
	same(t, "exit status of the follower", followed.command.ProcessState.ExitCode(), 0)
	whole := followed.text.String()
	places := []string{"s3://hearth/results/" + id + "/logs/SPARK_DRIVER/stderr", "s3://hearth/kept/" + id + "/SPARK_DRIVER/stderr"}
	shows := func(t *testing.T, how string) {
		t.Helper()
		stdout, stderr, status := outcome(t, c.Command("sessions", "logs", id))
		if status != 0 || stdout != whole {
			t.Errorf("hearth sessions logs, %s: exit status %d\n%s\n%s\nThe follower had\n%s", how, status, stderr, stdout, whole)
		}
	}

	t.Run("copied to the bucket and to the results", func(t *testing.T) {
		for _, place := range places {
			if got := c.in(t).read(&place); got != whole || !strings.Contains(got, "INFO DAGScheduler: Job ") {
				t.Errorf("%s has\n%s\nand the follower had\n%s", place, got, whole)
			}
		}
		shows(t, "with the driver's files")
	})
	t.Run("read from a copy when the driver's files are gone", func(t *testing.T) {
		if err := os.RemoveAll(filepath.Join(c.Home, "drivers", id)); err != nil {
			t.Fatal(err)
		}
		shows(t, "without the driver's files")
	})
	t.Run("the session says where they are", func(t *testing.T) {
		c := c.in(t)
		note := "CloudWatch is not here. What would go to its log group /aws-athena/logs is at " + strings.Join(places, " and ") + " when the session has ended."
		var shown struct {
			SessionId string
			Logs      struct {
				Copies []string
				Note   string
			}
		}
		stdout, _, _ := outcome(t, c.Command("sessions", "show", id, "--output", "json"))
		if err := json.Unmarshal([]byte(stdout), &shown); err != nil {
			t.Fatal(err)
		}
		same(t, "SessionId", shown.SessionId, id)
		same(t, "Note", shown.Logs.Note, note)
		same(t, "Copies", strings.Join(shown.Logs.Copies, " "), strings.Join(places, " "))
		stdout, _, _ = outcome(t, c.Command("sessions", "show", id))
		for _, text := range append(places, note) {
			if !strings.Contains(stdout, text) {
				t.Errorf("hearth sessions show is without %q:\n%s", text, stdout)
			}
		}
		session := c.session(id)
		same(t, "LogGroup", *session.MonitoringConfiguration.CloudWatchLoggingConfiguration.LogGroup, "/aws-athena/logs")
		same(t, "LogLocation", *session.MonitoringConfiguration.S3LoggingConfiguration.LogLocation, "s3://hearth/kept/")
		same(t, "StateChangeReason", *session.Status.StateChangeReason, "Session was terminated per request")
	})

	for _, bad := range []struct {
		name, says string
		s3         types.S3LoggingConfiguration
	}{
		{"no place", "has no LogLocation", types.S3LoggingConfiguration{Enabled: aws.Bool(true)}},
		{"a bucket that is not there", "Bucket nowhere does not exist", types.S3LoggingConfiguration{Enabled: aws.Bool(true), LogLocation: aws.String("s3://nowhere")}},
		{"no place of S3", "logLocation", types.S3LoggingConfiguration{Enabled: aws.Bool(true), LogLocation: aws.String("/var/log")}},
		{"a key of KMS", "there is no KMS here", types.S3LoggingConfiguration{Enabled: aws.Bool(true), LogLocation: aws.String("s3://hearth"), KmsKey: aws.String("alias/logs")}},
	} {
		t.Run("refused with "+bad.name, func(t *testing.T) {
			refusal := refused(c.athena.StartSession(t.Context(), &athena.StartSessionInput{
				WorkGroup: aws.String("primary"), EngineConfiguration: &types.EngineConfiguration{},
				MonitoringConfiguration: &types.MonitoringConfiguration{S3LoggingConfiguration: &bad.s3},
			}))(t)
			if !strings.Contains(refusal.ErrorMessage(), bad.says) {
				t.Error(refusal)
			}
		})
	}
	t.Run("of an unknown session", func(t *testing.T) {
		_, stderr, status := outcome(t, c.Command("sessions", "logs", "nothing", "-f"))
		same(t, "exit status", status, 1)
		same(t, "stderr", stderr, "hearth: Session nothing is not found.\n")
	})
}

// follower is a command whose output is read as it comes.
type follower struct {
	command *exec.Cmd
	lines   *bufio.Reader
	text    strings.Builder
}

func follow(t *testing.T, command *exec.Cmd) *follower {
	t.Helper()
	command.Stderr = os.Stderr
	lines := must(command.StdoutPipe())(t)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	giveUp := time.AfterFunc(patience, func() { command.Process.Kill() })
	t.Cleanup(func() { giveUp.Stop(); command.Process.Kill(); command.Wait() })
	return &follower{command: command, lines: bufio.NewReader(lines)}
}

// await reads until a line has the text.
func (f *follower) await(t *testing.T, text string) {
	t.Helper()
	for {
		line, err := f.lines.ReadString('\n')
		f.text.WriteString(line)
		if err != nil {
			t.Fatalf("%v before %q came:\n%s", err, text, f.text.String())
		}
		if strings.Contains(line, text) {
			return
		}
	}
}

// rest reads to the end, and waits until the command has ended.
func (f *follower) rest(t *testing.T) {
	t.Helper()
	if _, err := f.lines.WriteTo(&f.text); err != nil {
		t.Error(err)
	}
	f.command.Wait() // its exit status is looked at
}
