package conformance

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"
)

// magics checks what notebooks written for Athena find in a session.
func magics(t *testing.T, c *Client) {
	name := Token()
	notebook := Must(c.Athena.CreateNotebook(c.Ctx, &athena.CreateNotebookInput{WorkGroup: &c.WorkGroup, Name: &name}))(t).NotebookId
	ofNotebook := func(in *athena.StartSessionInput) {
		in.EngineConfiguration.AdditionalConfigs = map[string]string{"NotebookId": *notebook}
		in.NotebookVersion = aws.String("Athena notebook version 1")
	}
	earlier := c.Launch(ofNotebook)
	Must(c.Athena.TerminateSession(c.Ctx, &athena.TerminateSessionInput{SessionId: &earlier}))(t)
	c.AwaitSession(earlier, types.SessionStateTerminated)
	id := c.StartSession(ofNotebook)

	t.Run("%%sql shows a table", func(t *testing.T) {
		got := c.In(t).Run(id, "%%sql\nSELECT id, 'more than twenty characters' AS text FROM range(2)")
		Same(t, "stdout", got, "+---+--------------------+\n| id|                text|\n+---+--------------------+\n"+
			"|  0|more than twenty ...|\n|  1|more than twenty ...|\n+---+--------------------+\n\n")
	})
	t.Run("%%sql with an error", func(t *testing.T) {
		c := c.In(t)
		got := c.Ended(c.Begin(id, "%%sql\nSELECT ( FROM x"))
		Same(t, "State", got.Status.State, types.CalculationExecutionStateFailed)
		if reason := aws.ToString(got.Status.StateChangeReason); !strings.HasPrefix(reason, "ParseException: [PARSE_SYNTAX_ERROR]") {
			t.Errorf("StateChangeReason is %q", reason)
		}
		if stderr := c.Read(got.Result.StdErrorS3Uri); !strings.HasPrefix(stderr, "File \"<stdin>\", line 1, in <module>\n") {
			t.Errorf("stderr is %q", stderr)
		}
	})
	t.Run("%status and %session_id", func(t *testing.T) {
		c := c.In(t)
		session := Must(c.Athena.GetSession(c.Ctx, &athena.GetSessionInput{SessionId: &id}))(t)
		Same(t, "stdout", c.Run(id, "%status\n%session_id"), "Session ID: "+id+"\nState: BUSY\nWorkGroup: "+c.WorkGroup+"\nEngine version: "+*session.EngineVersion+
			"\nStart time: "+session.Status.StartDateTime.UTC().Format("2006-01-02 15:04:05 UTC")+"\n"+id+"\n")
	})
	t.Run("%list_sessions", func(t *testing.T) {
		lines := strings.Split(c.In(t).Run(id, "%list_sessions"), "\n")
		if len(lines) != 4 || !strings.HasPrefix(lines[1], id+"  BUSY ") || !strings.HasPrefix(lines[2], earlier+"  TERMINATED ") {
			t.Errorf("stdout is %q", lines)
		}
	})
	t.Run("a logger's line is in the driver's log alone", func(t *testing.T) {
		c := c.In(t)
		got := c.Ended(c.Begin(id, "athena_user_logger.info('Hello world.')"))
		Same(t, "stderr", c.Read(got.Result.StdErrorS3Uri), "")
		log := Must(os.ReadFile(filepath.Join(c.Home, "drivers", id, "driver.log")))(t)
		if !regexp.MustCompile(`(?m)^AthenaForApacheSpark: [-\d]{10} [:\d]{8},\d{3} INFO builtins: Hello world\.$`).Match(log) {
			t.Errorf("the log is %q", log)
		}
	})
	t.Run("%table is in the result", func(t *testing.T) {
		c := c.In(t)
		got := c.Ended(c.Begin(id, "df = spark.range(2)\n%table df"))
		Same(t, "State", got.Status.State, types.CalculationExecutionStateCompleted)
		Same(t, "stdout", c.Read(got.Result.StdOutS3Uri), "")
		var result struct {
			Outputs []struct {
				OutputType string `json:"output_type"`
				Data       map[string]string
			}
		}
		if err := json.Unmarshal([]byte(c.Read(aws.String(*got.Result.ResultS3Uri+"result.json"))), &result); err != nil {
			t.Fatal(err)
		}
		if len(result.Outputs) != 1 || result.Outputs[0].OutputType != "display_data" ||
			result.Outputs[0].Data["text/plain"] != " id\n  0\n  1" || !strings.Contains(result.Outputs[0].Data["text/html"], "<td>1</td>") {
			t.Errorf("outputs are %+v", result.Outputs)
		}
	})
}
