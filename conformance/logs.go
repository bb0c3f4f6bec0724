package conformance

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"
)

// logs looks for the log of a session where its workgroup's
// MonitoringConfiguration wants it.
func logs(t *testing.T, c *Client) {
	monitoring := &types.MonitoringConfiguration{
		CloudWatchLoggingConfiguration: &types.CloudWatchLoggingConfiguration{
			Enabled: aws.Bool(true), LogGroup: aws.String("/aws-athena/logs"), LogTypes: map[string][]string{"SPARK_DRIVER": {"STDERR"}},
		},
		S3LoggingConfiguration: &types.S3LoggingConfiguration{Enabled: aws.Bool(true), LogLocation: aws.String("s3://hearth/kept/")},
	}
	c.CreateWorkGroup("logs", types.WorkGroupConfiguration{
		ResultConfiguration:     &types.ResultConfiguration{OutputLocation: aws.String("s3://hearth/results/")},
		MonitoringConfiguration: monitoring,
	})
	in := func(r *athena.StartSessionInput) { r.WorkGroup = aws.String("logs") }
	id := c.Launch(in)
	followed := Follow(t, c.Command("sessions", "logs", id, "-f"))
	interrupted := Follow(t, c.Command("sessions", "logs", id, "--follow"))
	c.AwaitSession(id, types.SessionStateIdle)

	t.Run("followed while it is written", func(t *testing.T) {
		c.In(t).Run(id, "sc.setLogLevel('INFO')\nspark.range(10).count()")
		followed.Await(t, "INFO Executor: Finished task")
		interrupted.Await(t, " finished: ")
	})
	t.Run("Ctrl-C ends the following and nothing else", func(t *testing.T) {
		if err := interrupted.Command.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		interrupted.Rest(t)
		Same(t, "exit status", interrupted.Command.ProcessState.ExitCode(), 130)
		Same(t, "State", c.In(t).Session(id).Status.State, types.SessionStateIdle)
	})

	Must(c.Athena.TerminateSession(c.Ctx, &athena.TerminateSessionInput{SessionId: &id}))(t)
	c.AwaitSession(id, types.SessionStateTerminated)
	followed.Rest(t)
	Same(t, "exit status of the follower", followed.Command.ProcessState.ExitCode(), 0)
	whole := followed.text.String()
	places := []string{"s3://hearth/results/" + id + "/logs/SPARK_DRIVER/stderr", "s3://hearth/kept/" + id + "/SPARK_DRIVER/stderr"}
	shows := func(t *testing.T, how string) {
		t.Helper()
		stdout, stderr, status := Outcome(t, c.Command("sessions", "logs", id))
		if status != 0 || stdout != whole {
			t.Errorf("hearth sessions logs, %s: exit status %d\n%s\n%s\nThe follower had\n%s", how, status, stderr, stdout, whole)
		}
	}

	t.Run("copied to the bucket and to the results", func(t *testing.T) {
		for _, place := range places {
			if got := c.In(t).Read(&place); got != whole || !strings.Contains(got, "INFO DAGScheduler: Job ") {
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
		c := c.In(t)
		note := "CloudWatch is not here. What would go to its log group /aws-athena/logs is at " + strings.Join(places, " and ") + " when the session has ended."
		var shown struct {
			SessionId string
			Logs      struct {
				Copies []string
				Note   string
			}
		}
		stdout, _, _ := Outcome(t, c.Command("sessions", "show", id, "--output", "json"))
		if err := json.Unmarshal([]byte(stdout), &shown); err != nil {
			t.Fatal(err)
		}
		Same(t, "SessionId", shown.SessionId, id)
		Same(t, "Note", shown.Logs.Note, note)
		Same(t, "Copies", strings.Join(shown.Logs.Copies, " "), strings.Join(places, " "))
		stdout, _, _ = Outcome(t, c.Command("sessions", "show", id))
		for _, text := range append(places, note) {
			if !strings.Contains(stdout, text) {
				t.Errorf("hearth sessions show is without %q:\n%s", text, stdout)
			}
		}
		session := c.Session(id)
		Same(t, "LogGroup", *session.MonitoringConfiguration.CloudWatchLoggingConfiguration.LogGroup, "/aws-athena/logs")
		Same(t, "LogLocation", *session.MonitoringConfiguration.S3LoggingConfiguration.LogLocation, "s3://hearth/kept/")
		Same(t, "StateChangeReason", *session.Status.StateChangeReason, "Session was terminated per request")
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
			refusal := Refused(c.Athena.StartSession(t.Context(), &athena.StartSessionInput{
				WorkGroup: aws.String("primary"), EngineConfiguration: &types.EngineConfiguration{},
				MonitoringConfiguration: &types.MonitoringConfiguration{S3LoggingConfiguration: &bad.s3},
			}))(t)
			if !strings.Contains(refusal.ErrorMessage(), bad.says) {
				t.Error(refusal)
			}
		})
	}
	t.Run("of an unknown session", func(t *testing.T) {
		_, stderr, status := Outcome(t, c.Command("sessions", "logs", "nothing", "-f"))
		Same(t, "exit status", status, 1)
		Same(t, "stderr", stderr, "hearth: Session nothing is not found.\n")
	})
}
