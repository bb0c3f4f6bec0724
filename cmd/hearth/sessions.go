package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"hearth"
	"hearth/internal/athena"
	"hearth/internal/rest"
)

type sessionsCommands struct {
	Start sessionsStart `cmd:"" help:"Start a session and print its id."`
	List  sessionsList  `cmd:"" help:"List the sessions of a workgroup, newest first."`
	Show  sessionsShow  `cmd:"" help:"Show all about a session."`
	Logs  sessionsLogs  `cmd:"" help:"Print the log of a session's driver."`
	Open  sessionsOpen  `cmd:"" help:"Print an address that opens a session in a browser."`
	Wait  sessionsWait  `cmd:"" help:"Wait until a session is ready, or has ended."`
	Stop  sessionsStop  `cmd:"" help:"End sessions and wait until they have ended."`
}

type sessionsStart struct {
	sessionFlags
	Wait bool `help:"Wait until it is ready for calculations."`
}

func (s *sessionsStart) Run(m *Main, g *globals) error {
	if err := s.check(); err != nil {
		return err
	}
	return m.ask(g, func(ctx context.Context, c *client) error {
		answer, raw, err := c.startSession(ctx, s.sessionFlags, "")
		if err != nil {
			return err
		}
		if g.json() {
			err = printJSON(m.Stdout, raw)
		} else {
			_, err = fmt.Fprintln(m.Stdout, *answer.SessionID)
		}
		if err != nil || !s.Wait {
			return err
		}
		_, _, err = ready(c.awaitSession(ctx, *answer.SessionID, hearth.SessionIdle))
		return err
	})
}

// ready makes an error of a session that ended instead of becoming ready.
func ready(session athena.GetSessionResponse, raw json.RawMessage, err error) (athena.GetSessionResponse, json.RawMessage, error) {
	if err == nil && stateOf(session).Ended() {
		err = hearth.Errorf(hearth.KindConflict, "Session %s is %s: %s", *session.SessionID, stateOf(session), value(session.Status.StateChangeReason))
	}
	return session, raw, err
}

type sessionsList struct {
	Workgroup string `help:"Workgroup whose sessions to list." default:"primary" placeholder:"NAME"`
	State     string `help:"Only sessions in this state." placeholder:"STATE"`
}

func (s *sessionsList) Run(m *Main, g *globals) error {
	return m.ask(g, func(ctx context.Context, c *client) error {
		var all athena.ListSessionsResponse
		for request := (athena.ListSessionsRequest{WorkGroup: &s.Workgroup, StateFilter: given(strings.ToUpper(s.State))}); ; {
			var page athena.ListSessionsResponse
			if _, err := c.call(ctx, "ListSessions", request, &page); err != nil {
				return err
			}
			all.Sessions = append(all.Sessions, page.Sessions...)
			if request.NextToken = page.NextToken; request.NextToken == nil {
				break
			}
		}
		if g.json() {
			return printJSON(m.Stdout, all)
		}
		t := newTable(m.Stdout, "SESSION", "STATE", "STARTED", "ENDED", "DESCRIPTION", "REASON")
		for _, session := range all.Sessions {
			status := value(session.Status)
			t.row(value(session.SessionID), value(status.State), shown(status.StartDateTime.Time), shown(status.EndDateTime.Time), clipped(value(session.Description), 60), clipped(value(status.StateChangeReason), 100))
		}
		return t.flush()
	})
}

type sessionsShow struct {
	ID string `arg:"" name:"session" help:"Id of the session."`
}

func (s *sessionsShow) Run(m *Main, g *globals) error {
	return m.ask(g, func(ctx context.Context, c *client) error {
		session, _, err := c.session(ctx, s.ID, "")
		if err != nil {
			return err
		}
		story, err := c.story(ctx, s.ID)
		if err != nil {
			return err
		}
		if g.json() {
			return printJSON(m.Stdout, struct {
				athena.GetSessionResponse
				Logs   hearth.Logs
				Memory int64 `json:",omitempty"` // bytes that its driver may use
			}{session, hearth.Logs(story.Logs), story.Memory})
		}
		configuration, engine, status := value(session.SessionConfiguration), value(session.EngineConfiguration), value(session.Status)
		t := newTable(m.Stdout)
		t.field("session", value(session.SessionID))
		t.field("state", value(status.State))
		t.field("reason", value(status.StateChangeReason))
		t.field("description", value(session.Description))
		t.field("workgroup", value(session.WorkGroup))
		t.field("engine", value(session.EngineVersion))
		t.field("started", shown(status.StartDateTime.Time))
		t.field("start took", phased(story.Phases))
		t.field("idle since", shown(status.IdleSinceDateTime.Time))
		t.field("ended", shown(status.EndDateTime.Time))
		t.field("idle timeout", fmt.Sprintf("%d minutes", value(configuration.SessionIdleTimeoutInMinutes)))
		t.field("used", dpuTime(value(value(session.Statistics).DPUExecutionInMillis)))
		t.field("most DPUs", fmt.Sprint(value(engine.MaxConcurrentDPUs)))
		if story.Memory > 0 { // it started after the server had a rule for it
			t.field("memory", hearth.ShowMemory(story.Memory))
		}
		for _, properties := range append([]map[string]string{engine.SparkProperties}, classified(engine)...) {
			for _, key := range slices.Sorted(maps.Keys(properties)) {
				t.field("property", key+"="+properties[key])
			}
		}
		t.field("results", value(configuration.WorkingDirectory))
		for _, uri := range story.Logs.Copies {
			t.field("log", uri)
		}
		t.field("log", story.Logs.Note)
		t.field("role", value(configuration.ExecutionRole))
		for _, e := range story.Events {
			t.field(shown(e.At), happened(e))
		}
		return t.flush()
	})
}

func classified(engine athena.EngineConfiguration) (properties []map[string]string) {
	for _, class := range engine.Classifications {
		properties = append(properties, class.Properties)
	}
	return properties
}

// phased is a start's time and where it went: 3.2 s (spawn 0.1 s, …). What was
// done before the session was asked for comes after that.
func phased(phases []rest.Phase) string {
	text := ""
	for _, part := range []struct {
		before string
		ahead  bool
	}{{"", false}, {"; ahead of it ", true}} {
		var total time.Duration
		var parts []string
		for _, phase := range phases {
			if phase.Ahead == part.ahead {
				took := time.Duration(phase.Took * float64(time.Millisecond))
				total += took
				parts = append(parts, phase.Name+" "+seconds(took))
			}
		}
		if len(parts) > 0 {
			text += part.before + seconds(total) + " (" + strings.Join(parts, ", ") + ")"
		}
	}
	return text
}

// happened is an event in a line: IDLE → BUSY, or calculation ID RUNNING → FAILED: reason.
func happened(e rest.Event) string {
	text := strings.TrimPrefix(e.From+" → "+e.To, " → ")
	if e.CalculationID != "" {
		text = "calculation " + e.CalculationID + " " + text
	}
	for _, why := range []string{e.Reason, e.Note} {
		if why != "" {
			text += ": " + clipped(why, 200)
		}
	}
	return text
}

// dpuTime is a DPU figure for people.
func dpuTime(millis int64) string {
	return fmt.Sprintf("%.1f DPU seconds", float64(millis)/1000)
}

type sessionsLogs struct {
	ID     string `arg:"" name:"session" help:"Id of the session."`
	Follow bool   `short:"f" help:"Go on with what is logged from now on, until the session has ended."`
}

func (s *sessionsLogs) Run(m *Main, g *globals) error {
	return m.ask(g, func(ctx context.Context, c *client) error {
		if !g.json() {
			return c.copyLog(ctx, s.ID, s.Follow, m.Stdout)
		}
		var log strings.Builder
		if err := c.copyLog(ctx, s.ID, s.Follow, &log); err != nil {
			return err
		}
		return printJSON(m.Stdout, map[string]string{"log": log.String()})
	})
}

// copyLog writes the log of a session's driver: what there is, or with follow
// all until the session has ended.
func (c *client) copyLog(ctx context.Context, id string, follow bool, w io.Writer) error {
	if follow {
		return copyGrowing(ctx, w, func(offset int64) (io.ReadCloser, error) {
			return c.log(ctx, id, offset, true)
		}, func() error {
			_, _, err := c.awaitSession(ctx, id, hearth.SessionTerminated)
			return err
		})
	}
	body, err := c.log(ctx, id, 0, false)
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.Copy(w, body)
	return err
}

type sessionsOpen struct {
	ID string `arg:"" name:"session" help:"Id of the session."`
}

// Help is kong's long help.
func (sessionsOpen) Help() string {
	return `The address works for ten minutes, for whoever has it, and opens this session only. The browser that
opened it can use the session for twelve hours.`
}

func (s *sessionsOpen) Run(m *Main, g *globals) error {
	return m.ask(g, func(ctx context.Context, c *client) error {
		var link athena.CreatePresignedNotebookURLResponse
		raw, err := c.call(ctx, "CreatePresignedNotebookUrl", athena.CreatePresignedNotebookURLRequest{SessionID: &s.ID}, &link)
		if err != nil {
			return err
		}
		if g.json() {
			return printJSON(m.Stdout, raw)
		}
		fmt.Fprintf(m.Stderr, "Open this address in a browser until %s. Whoever has it can use the session.\n", shown(time.Unix(value(link.AuthTokenExpirationTime), 0)))
		_, err = fmt.Fprintln(m.Stdout, value(link.NotebookURL))
		return err
	})
}

type sessionsWait struct {
	ID    string `arg:"" name:"session" help:"Id of the session."`
	Ended bool   `help:"Wait until it has ended, not until it is ready."`
}

func (s *sessionsWait) Run(m *Main, g *globals) error {
	return m.ask(g, func(ctx context.Context, c *client) error {
		wanted := hearth.SessionIdle
		if s.Ended {
			wanted = hearth.SessionTerminated
		}
		session, raw, err := c.awaitSession(ctx, s.ID, wanted)
		if !s.Ended {
			session, raw, err = ready(session, raw, err)
		}
		if err != nil {
			return err
		}
		if g.json() {
			return printJSON(m.Stdout, raw)
		}
		_, err = fmt.Fprintln(m.Stdout, stateOf(session))
		return err
	})
}

type sessionsStop struct {
	IDs    []string `arg:"" name:"session" help:"Ids of sessions."`
	NoWait bool     `help:"Do not wait until they have ended."`
}

func (s *sessionsStop) Run(m *Main, g *globals) error {
	return m.ask(g, func(ctx context.Context, c *client) error {
		for _, id := range s.IDs {
			raw, err := c.terminate(ctx, id)
			if err != nil {
				return err
			}
			if s.NoWait && g.json() {
				if err := printJSON(m.Stdout, raw); err != nil {
					return err
				}
			}
		}
		if s.NoWait {
			return nil
		}
		var failures []error
		for _, id := range s.IDs {
			session, raw, err := c.awaitSession(ctx, id, hearth.SessionTerminated)
			switch {
			case err != nil:
			case g.json():
				err = printJSON(m.Stdout, raw)
			default:
				_, err = fmt.Fprintln(m.Stdout, id, stateOf(session))
			}
			failures = append(failures, err)
		}
		return errors.Join(failures...)
	})
}
