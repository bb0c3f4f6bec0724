package conformance

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"
)

// calculations checks what code can do in a session, and what is told of it.
func calculations(t *testing.T, c *Client) {
	id := c.StartSession()

	t.Run("every member after COMPLETED", func(t *testing.T) {
		c := c.In(t)
		code := "answer = 42"
		calculation := aws.ToString(Must(c.Athena.StartCalculationExecution(c.Ctx, &athena.StartCalculationExecutionInput{
			SessionId:   &id,
			Description: aws.String("An answer"),
			CodeBlock:   &code,
		}))(t).CalculationExecutionId)
		got := c.Ended(calculation)
		Same(t, "State", got.Status.State, types.CalculationExecutionStateCompleted)
		Same(t, "CalculationExecutionId", *got.CalculationExecutionId, calculation)
		Same(t, "SessionId", *got.SessionId, id)
		Same(t, "Description", *got.Description, "An answer")
		Same(t, "WorkingDirectory", *got.WorkingDirectory, "s3://hearth/"+id+"/"+calculation)
		Same(t, "StdOutS3Uri", *got.Result.StdOutS3Uri, *got.WorkingDirectory+"/stdout")
		Same(t, "StdErrorS3Uri", *got.Result.StdErrorS3Uri, *got.WorkingDirectory+"/stderr")
		Same(t, "ResultS3Uri", *got.Result.ResultS3Uri, *got.WorkingDirectory+"/results/")
		Same(t, "ResultType", *got.Result.ResultType, "application/vnd.aws.athena.v1+json")
		if got.Status.CompletionDateTime.Before(*got.Status.SubmissionDateTime) {
			t.Errorf("completed at %v, submitted at %v", got.Status.CompletionDateTime, got.Status.SubmissionDateTime)
		}
		if aws.ToInt64(got.Statistics.DpuExecutionInMillis) <= 0 || aws.ToString(got.Statistics.Progress) == "" {
			t.Errorf("statistics are %d, %q", aws.ToInt64(got.Statistics.DpuExecutionInMillis), aws.ToString(got.Statistics.Progress))
		}
		if got.Status.StateChangeReason != nil {
			t.Errorf("StateChangeReason is %q after COMPLETED", *got.Status.StateChangeReason)
		}
		Same(t, "stdout", c.Read(got.Result.StdOutS3Uri), "")
		Same(t, "stderr", c.Read(got.Result.StdErrorS3Uri), "")

		Same(t, "CodeBlock", *Must(c.Athena.GetCalculationExecutionCode(c.Ctx, &athena.GetCalculationExecutionCodeInput{CalculationExecutionId: &calculation}))(t).CodeBlock, code)
		stopped := Must(c.Athena.StopCalculationExecution(c.Ctx, &athena.StopCalculationExecutionInput{CalculationExecutionId: &calculation}))(t)
		Same(t, "State after stopping what has ended", stopped.State, types.CalculationExecutionStateCompleted)
	})
	t.Run("variables live on", func(t *testing.T) {
		Same(t, "stdout", c.In(t).Run(id, "print(answer)"), "42\n")
	})
	t.Run("the deprecated CalculationConfiguration", func(t *testing.T) {
		c := c.In(t)
		started := Must(c.Athena.StartCalculationExecution(c.Ctx, &athena.StartCalculationExecutionInput{
			SessionId: &id,
			//lint:ignore SA1019 scripts still use it
			CalculationConfiguration: &types.CalculationConfiguration{CodeBlock: aws.String("print('still works')")},
		}))(t)
		Same(t, "stdout", c.Read(c.Ended(*started.CalculationExecutionId).Result.StdOutS3Uri), "still works\n")
	})
	t.Run("stdout is what was printed", func(t *testing.T) {
		got := c.In(t).Run(id, `
import os, subprocess, sys
print("Grüße", end="")
os.write(1, b"\x00\xff\n")
subprocess.run([sys.executable, "-c", "print('from a child')"])
os.system("echo from a shell")
spark.range(2).show()
print("last, without a line break", end="")
`)
		Same(t, "stdout", got, "Grüße\x00\xff\nfrom a child\nfrom a shell\n"+
			"+---+\n| id|\n+---+\n|  0|\n|  1|\n+---+\n\n"+
			"last, without a line break")
	})
	t.Run("a lot of output", func(t *testing.T) {
		got := c.In(t).Run(id, "for i in range(200_000): print(i, 'x' * 20)")
		lines := strings.Split(got, "\n")
		Same(t, "lines", len(lines), 200_001)
		Same(t, "the last line", lines[199_999], "199999 "+strings.Repeat("x", 20))
	})
	t.Run("the server's environment stays with the server", func(t *testing.T) {
		got := c.In(t).Run(id, `
import os
print([name for name in os.environ if name.startswith("HEARTH_HOME")])
print(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"])
`)
		if !strings.HasPrefix(got, "[]\n") || strings.Contains(got, c.Env["AWS_ACCESS_KEY_ID"]) || strings.Contains(got, c.Env["AWS_SECRET_ACCESS_KEY"]) {
			t.Errorf("the session has %s", got)
		}
	})
	t.Run("an error", func(t *testing.T) {
		c := c.In(t)
		got := c.Ended(c.Begin(id, "print('before')\nfoobar\nprint('after')"))
		Same(t, "State", got.Status.State, types.CalculationExecutionStateFailed)
		Same(t, "StateChangeReason", aws.ToString(got.Status.StateChangeReason), "NameError: name 'foobar' is not defined")
		Same(t, "stdout", c.Read(got.Result.StdOutS3Uri), "before\n")
		Same(t, "stderr", strings.TrimSpace(c.Read(got.Result.StdErrorS3Uri)), "File \"<stdin>\", line 2, in <module>\nNameError: name 'foobar' is not defined")
	})
	t.Run("a syntax error", func(t *testing.T) {
		c := c.In(t)
		got := c.Ended(c.Begin(id, "x = (1\nprint('never'"))
		Same(t, "State", got.Status.State, types.CalculationExecutionStateFailed)
		Same(t, "stdout", c.Read(got.Result.StdOutS3Uri), "")
		if stderr := c.Read(got.Result.StdErrorS3Uri); !strings.Contains(stderr, "SyntaxError") || !strings.Contains(stderr, "<stdin>") {
			t.Errorf("stderr is %q", stderr)
		}
	})
	t.Run("an error inside Spark", func(t *testing.T) {
		c := c.In(t)
		got := c.Ended(c.Begin(id, "spark.sql('SELECT nothing FROM nowhere')"))
		Same(t, "State", got.Status.State, types.CalculationExecutionStateFailed)
		if reason := aws.ToString(got.Status.StateChangeReason); !strings.Contains(reason, "TABLE_OR_VIEW_NOT_FOUND") {
			t.Errorf("StateChangeReason is %q", reason)
		}
	})
	t.Run("values and figures", func(t *testing.T) {
		c := c.In(t)
		got := c.Ended(c.Begin(id, `
import matplotlib.pyplot as plt
plt.plot([1, 2, 3])
plt.show()
import pandas as pd
pd.DataFrame({"a": [1, 2]})
`))
		Same(t, "State", got.Status.State, types.CalculationExecutionStateCompleted)
		var result struct {
			Outputs []struct {
				OutputType string `json:"output_type"`
				Data       map[string]any
			}
		}
		if err := json.Unmarshal([]byte(c.Read(aws.String(*got.Result.ResultS3Uri+"result.json"))), &result); err != nil {
			t.Fatal(err)
		}
		has := func(outputType, mime, content string) {
			t.Helper()
			for _, output := range result.Outputs {
				if text, ok := output.Data[mime].(string); ok && output.OutputType == outputType && strings.Contains(text, content) {
					return
				}
			}
			t.Errorf("no %s with %s that holds %q among %d outputs", outputType, mime, content, len(result.Outputs))
		}
		has("display_data", "image/png", "iVBORw0KGgo") // how PNG files begin, in base64
		has("execute_result", "text/html", "<table")
		has("execute_result", "text/plain", "a")
	})
	t.Run("as much code as is allowed", func(t *testing.T) {
		c := c.In(t)
		code := "print('fits')\n#"
		code += strings.Repeat("é", 68_000-len(code))
		Same(t, "stdout", c.Run(id, code), "fits\n")

		code += "é"
		refusal := Refused(c.Athena.StartCalculationExecution(c.Ctx, &athena.StartCalculationExecutionInput{SessionId: &id, CodeBlock: &code}))(t)
		if !strings.Contains(refusal.ErrorMessage(), "Member must have length less than or equal to 68000") {
			t.Errorf("message is %.200q…", refusal.ErrorMessage())
		}
	})
	t.Run("the kernel survives exit", func(t *testing.T) {
		c := c.In(t)
		got := c.Ended(c.Begin(id, "import sys; sys.exit('enough')"))
		Same(t, "State", got.Status.State, types.CalculationExecutionStateFailed)
		Same(t, "stderr", strings.TrimSpace(c.Read(got.Result.StdErrorS3Uri)), "enough")
		Same(t, "stdout", c.Run(id, "print(answer)"), "42\n")
	})
	t.Run("listed newest first", func(t *testing.T) {
		c := c.In(t)
		var ids []string
		pages := athena.NewListCalculationExecutionsPaginator(c.Athena, &athena.ListCalculationExecutionsInput{SessionId: &id, MaxResults: aws.Int32(3)})
		for pages.HasMorePages() {
			page := Must(pages.NextPage(c.Ctx))(t)
			if len(page.Calculations) > 3 {
				t.Errorf("a page of %d", len(page.Calculations))
			}
			for _, calculation := range page.Calculations {
				ids = append(ids, *calculation.CalculationExecutionId)
			}
		}
		all := Must(c.Athena.ListCalculationExecutions(c.Ctx, &athena.ListCalculationExecutionsInput{SessionId: &id}))(t).Calculations
		Same(t, "paged", len(ids), len(all))
		for i, calculation := range all {
			Same(t, "id", ids[i], *calculation.CalculationExecutionId)
			if i > 0 && calculation.Status.SubmissionDateTime.After(*all[i-1].Status.SubmissionDateTime) {
				t.Errorf("number %d was submitted after number %d", i, i-1)
			}
		}
		for _, calculation := range Must(c.Athena.ListCalculationExecutions(c.Ctx, &athena.ListCalculationExecutionsInput{
			SessionId:   &id,
			StateFilter: types.CalculationExecutionStateFailed,
		}))(t).Calculations {
			Same(t, "State", calculation.Status.State, types.CalculationExecutionStateFailed)
		}
	})
	t.Run("a running calculation ends with its session", func(t *testing.T) {
		c := c.In(t)
		gate := NewGate(t)
		calculation := c.Begin(id, gate.Code())
		gate.Reached()
		Must(c.Athena.TerminateSession(c.Ctx, &athena.TerminateSessionInput{SessionId: &id}))(t)
		c.AwaitSession(id, types.SessionStateTerminated)
		got := c.Ended(calculation)
		if got.Status.State == types.CalculationExecutionStateCompleted || aws.ToString(got.Status.StateChangeReason) == "" {
			t.Errorf("the calculation is %s, because of %q", got.Status.State, aws.ToString(got.Status.StateChangeReason))
		}
	})
}

// cancel stops calculations of all sorts and checks that the session is as
// good as before.
func cancel(t *testing.T, c *Client) {
	id := c.StartSession()
	c.Run(id, "kept = 'kept'")
	for _, code := range []struct{ name, code string }{
		{"a Spark job", `reached()
spark.range(8).repartition(8).foreach(lambda row: __import__("time").sleep(600))`},
		{"time.sleep", `reached()
time.sleep(600)`},
		{"a busy loop", `reached()
while True: pass`},
		{"a loop that catches everything", `reached()
while True:
    try:
        time.sleep(600)
    except BaseException as e:
        pass`},
		{"sleep inside the JVM", `reached()
sc._jvm.java.lang.Thread.sleep(600_000)`},
	} {
		t.Run(code.name, func(t *testing.T) {
			c := c.In(t)
			gate := NewGate(t)
			calculation := c.Begin(id, "import pathlib, time\ndef reached(): print('reached', flush=True); pathlib.Path('"+gate.Folder+"/reached').touch()\n"+code.code)
			gate.Reached()
			stopped := Must(c.Athena.StopCalculationExecution(c.Ctx, &athena.StopCalculationExecutionInput{CalculationExecutionId: &calculation}))(t)
			if stopped.State != types.CalculationExecutionStateCanceling && stopped.State != types.CalculationExecutionStateCanceled {
				t.Errorf("StopCalculationExecution answered state %s", stopped.State)
			}
			got := c.Ended(calculation)
			Same(t, "State", got.Status.State, types.CalculationExecutionStateCanceled)
			Same(t, "stdout", c.Read(got.Result.StdOutS3Uri), "reached\n")
			c.AwaitSession(id, types.SessionStateIdle)
			Same(t, "stdout after", c.Run(id, "print(kept, spark.range(3).count())"), "kept 3\n")
		})
	}
}
