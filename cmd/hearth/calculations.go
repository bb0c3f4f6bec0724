package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"

	"hearth"
	"hearth/internal/athena"
)

type calculationCommands struct {
	Start  calculationsStart  `cmd:"" help:"Run code in a session and print the calculation's id."`
	List   calculationsList   `cmd:"" help:"List the calculations of a session, newest first."`
	Show   calculationsShow   `cmd:"" help:"Show all about a calculation."`
	Output calculationsOutput `cmd:"" help:"Print what a calculation has printed, or with -f what it prints until it ends."`
	Stop   calculationsStop   `cmd:"" help:"Stop a calculation and wait until its code has stopped."`
}

type calculationsStart struct {
	Session     string `arg:"" help:"Id of the session."`
	File        string `arg:"" optional:"" help:"Python program; - is standard input."`
	Code        string `short:"c" help:"Run this code instead of a file." placeholder:"CODE"`
	Description string `help:"Description of the calculation. (default: the file's name)" placeholder:"TEXT"`
}

func (s *calculationsStart) Run(m *Main, g *globals) error {
	program, err := readProgram(s.File, s.Code, m.Stdin)
	if err != nil {
		return err
	}
	return m.ask(g, func(ctx context.Context, c *client) error {
		answer, raw, err := c.startCalculation(ctx, s.Session, cmp.Or(s.Description, s.File), program.code)
		if err != nil {
			return err
		}
		if g.json() {
			return printJSON(m.Stdout, raw)
		}
		_, err = fmt.Fprintln(m.Stdout, *answer.CalculationExecutionID)
		return err
	})
}

type calculationsList struct {
	Session string `arg:"" help:"Id of the session."`
	State   string `help:"Only calculations in this state." placeholder:"STATE"`
}

func (s *calculationsList) Run(m *Main, g *globals) error {
	return m.ask(g, func(ctx context.Context, c *client) error {
		var all athena.ListCalculationExecutionsResponse
		for request := (athena.ListCalculationExecutionsRequest{SessionID: &s.Session, StateFilter: given(strings.ToUpper(s.State))}); ; {
			var page athena.ListCalculationExecutionsResponse
			if _, err := c.call(ctx, "ListCalculationExecutions", request, &page); err != nil {
				return err
			}
			all.Calculations = append(all.Calculations, page.Calculations...)
			if request.NextToken = page.NextToken; request.NextToken == nil {
				break
			}
		}
		if g.json() {
			return printJSON(m.Stdout, all)
		}
		t := newTable(m.Stdout, "CALCULATION", "STATE", "SUBMITTED", "COMPLETED", "DESCRIPTION")
		for _, calculation := range all.Calculations {
			status := value(calculation.Status)
			t.row(value(calculation.CalculationExecutionID), value(status.State), shown(status.SubmissionDateTime.Time), shown(status.CompletionDateTime.Time), clipped(value(calculation.Description), 60))
		}
		return t.flush()
	})
}

type calculationsShow struct {
	ID string `arg:"" name:"calculation" help:"Id of the calculation."`
}

func (s *calculationsShow) Run(m *Main, g *globals) error {
	return m.ask(g, func(ctx context.Context, c *client) error {
		calculation, raw, err := c.calculation(ctx, s.ID, "")
		if err != nil {
			return err
		}
		if g.json() {
			return printJSON(m.Stdout, raw)
		}
		status, statistics, result := value(calculation.Status), value(calculation.Statistics), value(calculation.Result)
		t := newTable(m.Stdout)
		t.field("calculation", value(calculation.CalculationExecutionID))
		t.field("session", value(calculation.SessionID))
		t.field("state", value(status.State))
		t.field("reason", value(status.StateChangeReason))
		t.field("description", value(calculation.Description))
		t.field("submitted", shown(status.SubmissionDateTime.Time))
		t.field("completed", shown(status.CompletionDateTime.Time))
		t.field("progress", value(statistics.Progress))
		t.field("used", dpuTime(value(statistics.DPUExecutionInMillis)))
		t.field("output", value(result.StdOutS3URI))
		t.field("errors", value(result.StdErrorS3URI))
		t.field("results", value(result.ResultS3URI))
		return t.flush()
	})
}

type calculationsOutput struct {
	ID     string `arg:"" name:"calculation" help:"Id of the calculation."`
	Stderr bool   `help:"Print what went to stderr, errors among it."`
	Follow bool   `short:"f" help:"Go on with what is printed from now on, until the calculation has ended."`
}

func (s *calculationsOutput) Run(m *Main, g *globals) error {
	stream := hearth.Stdout
	if s.Stderr {
		stream = hearth.Stderr
	}
	return m.ask(g, func(ctx context.Context, c *client) error {
		copyOutput := c.copyWritten
		if s.Follow {
			copyOutput = c.copyOutput
		}
		if !g.json() {
			return copyOutput(ctx, s.ID, stream, m.Stdout)
		}
		var output strings.Builder
		if err := copyOutput(ctx, s.ID, stream, &output); err != nil {
			return err
		}
		return printJSON(m.Stdout, map[hearth.Stream]string{stream: output.String()})
	})
}

type calculationsStop struct {
	ID string `arg:"" name:"calculation" help:"Id of the calculation."`
}

func (s *calculationsStop) Run(m *Main, g *globals) error {
	return m.ask(g, func(ctx context.Context, c *client) error {
		if _, err := c.stopCalculation(ctx, s.ID); err != nil {
			return err
		}
		calculation, raw, err := c.awaitCalculation(ctx, s.ID)
		if err != nil {
			return err
		}
		if g.json() {
			return printJSON(m.Stdout, raw)
		}
		_, err = fmt.Fprintln(m.Stdout, value(calculation.Status.State))
		return err
	})
}

// copyWritten writes what a calculation has written to a stream until now.
func (c *client) copyWritten(ctx context.Context, id string, stream hearth.Stream, w io.Writer) error {
	body, err := c.written(ctx, id, stream)
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.Copy(w, body)
	return err
}

// copyOutput writes what a calculation writes to a stream until it has ended.
func (c *client) copyOutput(ctx context.Context, id string, stream hearth.Stream, w io.Writer) error {
	return copyGrowing(ctx, w, func(offset int64) (io.ReadCloser, error) {
		return c.follow(ctx, id, stream, offset)
	}, func() error {
		_, _, err := c.awaitCalculation(ctx, id)
		return err
	})
}
