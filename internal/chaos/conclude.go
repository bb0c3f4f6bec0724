package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/athena"

	"hearth"
)

// settle waits for all calculations, ends those that do not end by themselves,
// and ends all sessions.
func (r *run) settle(ctx context.Context) error {
	for _, s := range r.history.sessions {
		for _, c := range s.Calculations {
			if c.id() == "" {
				continue
			}
			if c.Program.Kind == stubborn && c.StopState == "" {
				if err := r.api.stop(ctx, c); err != nil {
					return err
				}
			}
			if err := r.awaitCalculation(ctx, c); err != nil {
				return err
			}
		}
	}
	for _, s := range r.history.sessions {
		if s.id() != "" && !hearth.SessionState(s.last().State).Ended() {
			if err := r.api.terminate(ctx, s); err != nil {
				return err
			}
		}
	}
	for _, s := range r.history.sessions {
		if s.id() == "" {
			continue
		}
		for while := ""; !hearth.SessionState(while).Ended(); while = s.last().State {
			if err := r.api.seeSession(ctx, s, while); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *run) awaitCalculation(ctx context.Context, c *calculation) error {
	for while := ""; !hearth.CalculationState(while).Ended(); while = c.last().State {
		if err := r.api.seeCalculation(ctx, c, while); err != nil {
			return err
		}
	}
	return nil
}

// lookAtAll reads all that there is about everything, and repeats every start.
func (r *run) lookAtAll(ctx context.Context) error {
	if err := r.lookAtLists(ctx); err != nil {
		return err
	}
	for _, s := range r.history.sessions {
		if s.id() == "" {
			continue
		}
		if err := r.api.startSession(ctx, s); err != nil {
			return err
		}
		for _, c := range s.Calculations {
			if c.id() == "" {
				continue
			}
			if err := errors.Join(r.api.startCalculation(ctx, s, c), r.lookAtFiles(ctx, c)); err != nil {
				return err
			}
		}
		if err := r.lookAgain(ctx, s); err != nil {
			return err
		}
		var err error
		if s.Events, err = r.api.events(ctx, s.id()); err != nil {
			return err
		}
	}
	return r.lookAtRecord()
}

// lookAgain sees a session and its calculations once more.
func (r *run) lookAgain(ctx context.Context, s *session) error {
	if s.id() == "" {
		return nil
	}
	if err := r.api.seeSession(ctx, s, ""); err != nil {
		return err
	}
	for _, c := range s.Calculations {
		if c.id() == "" {
			continue
		}
		if err := r.api.seeCalculation(ctx, c, ""); err != nil {
			return err
		}
	}
	return nil
}

// lookAtLists finds what was made under each token.
func (r *run) lookAtLists(ctx context.Context) error {
	sessions, calculations := make(map[string]*session), make(map[string]*calculation)
	for _, s := range r.history.sessions {
		sessions[s.Token] = s
		for _, c := range s.Calculations {
			calculations[c.Token] = c
		}
	}
	pages := athena.NewListSessionsPaginator(r.api.athena, &athena.ListSessionsInput{WorkGroup: aws.String(hearth.WorkGroupPrimary)})
	for pages.HasMorePages() {
		page, err := try(ctx, r.api, func(ctx context.Context) (*athena.ListSessionsOutput, error) { return pages.NextPage(ctx) })
		if err != nil {
			return err
		}
		for _, found := range page.Sessions {
			id := aws.ToString(found.SessionId)
			s := sessions[aws.ToString(found.Description)]
			if s == nil {
				r.history.trouble("session " + id + " is on record, and nobody asked for it")
				continue
			}
			s.Made = append(s.Made, id)
			if err := r.lookAtCalculations(ctx, id, calculations); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *run) lookAtCalculations(ctx context.Context, id string, byToken map[string]*calculation) error {
	pages := athena.NewListCalculationExecutionsPaginator(r.api.athena, &athena.ListCalculationExecutionsInput{SessionId: &id})
	for pages.HasMorePages() {
		page, err := try(ctx, r.api, func(ctx context.Context) (*athena.ListCalculationExecutionsOutput, error) { return pages.NextPage(ctx) })
		if err != nil {
			return err
		}
		for _, found := range page.Calculations {
			c := byToken[aws.ToString(found.Description)]
			if c == nil {
				r.history.trouble("calculation " + aws.ToString(found.CalculationExecutionId) + " is on record, and nobody asked for it")
				continue
			}
			c.Made = append(c.Made, aws.ToString(found.CalculationExecutionId))
		}
	}
	return nil
}

// lookAtFiles reads what was published of a calculation.
func (r *run) lookAtFiles(ctx context.Context, c *calculation) error {
	answer, err := try(ctx, r.api, func(ctx context.Context) (*athena.GetCalculationExecutionOutput, error) {
		return r.api.athena.GetCalculationExecution(ctx, &athena.GetCalculationExecutionInput{CalculationExecutionId: aws.String(c.id())})
	})
	if err != nil {
		return err
	}
	if answer.Result == nil {
		r.history.trouble("calculation " + c.id() + " has ended, and no files are named")
		return nil
	}
	for uri, text := range map[*string]*string{
		answer.Result.StdOutS3Uri:   &c.Stdout,
		answer.Result.StdErrorS3Uri: &c.Stderr,
		answer.Result.ResultS3Uri:   &c.Result,
	} {
		where := aws.ToString(uri)
		if strings.HasSuffix(where, "/") {
			where += "result.json"
		}
		if *text, err = r.api.object(ctx, where); err != nil {
			if ctx.Err() != nil {
				return err
			}
			r.history.trouble(fmt.Sprintf("calculation %s has ended, and %s cannot be read: %v", c.id(), where, err))
		}
	}
	if c.Stdout == c.Program.Stdout {
		c.Stdout = c.Program.Stdout // one of them is enough in memory
	}
	return nil
}

// lookAtRecord reads the marks that code has left.
func (r *run) lookAtRecord() error {
	for _, s := range r.history.sessions {
		for _, c := range s.Calculations {
			file := filepath.Join(r.marks, c.Token)
			marks, err := os.ReadFile(file)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			info, statErr := os.Stat(file)
			if err := errors.Join(err, statErr); err != nil {
				return err
			}
			c.Began, c.Came = strings.Count(string(marks), signBegan), strings.Count(string(marks), signCame)
			c.LastRan = info.ModTime()
		}
	}
	return nil
}

// lookForLeftovers looks for what nothing needs any more, when no server runs
// and all sessions have ended.
func (r *run) lookForLeftovers() error {
	left, err := r.processesLeft()
	if err != nil {
		return err
	}
	for _, p := range left {
		r.history.troubleOf(p.session, fmt.Sprintf("process %d of session %s was left running: %s", p.pid, p.session, p.command))
	}
	return filepath.WalkDir(r.server.data, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := entry.Name()
		inWork := strings.Contains(path, string(filepath.Separator)+"work"+string(filepath.Separator))
		temporary := slices.Contains([]string{"temporary", "ballast", "server.json"}, name) || strings.HasSuffix(name, ".new") && !entry.IsDir() ||
			filepath.Base(filepath.Dir(path)) == ".new"
		if entry.Type()&fs.ModeSocket != 0 || temporary && !inWork {
			of, err := filepath.Rel(filepath.Join(r.server.data, "drivers"), path)
			if err != nil {
				return err
			}
			session, _, _ := strings.Cut(of, string(filepath.Separator))
			r.history.troubleOf(session, "a file was left: "+strings.TrimPrefix(path, r.server.data))
		}
		return nil
	})
}

// processesLeft gives those that are there for longer than an end takes.
func (r *run) processesLeft() ([]process, error) {
	const patience = 5 * time.Second // a shim waits a second for its clients
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		left, err := processes(r.server.data)
		if err != nil || len(left) == 0 || time.Now().After(deadline) {
			return left, err
		}
	}
}
