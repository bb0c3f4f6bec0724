// Package bench measures Hearth beside its neighbours, in one run on one machine.
// Ratios within one run are what to read: milliseconds belong to the machine.
//
// Each figure serves a scratch directory with the hearth binary itself, as a user
// does, and measures from outside. Everything that is started listens on loopback
// and is ended, also when the run is interrupted.
package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"hearth"
	"hearth/internal/spark"
)

// Options say what to measure, and with what.
type Options struct {
	Binary  string // the hearth program
	Version string // its version
	Engines spark.Engines
	Command string // how the run was asked for, for the report

	Only     []string      // names of figures; empty is all that are measured by default
	Runs     int           // how often what takes seconds is measured
	Period   time.Duration // how long what is a rate is measured
	Sessions int           // idle sessions at once
	Storm    int           // sessions that are started at once
	For      time.Duration // how long the long run takes
	Peers    string        // where peers/setup.sh has installed peers; "" is nowhere
	Livy     string        // an unpacked distribution of Livy; "" is none

	Progress io.Writer // is told what is being measured
}

// Figure is something that can be measured by itself.
type Figure struct {
	Name      string `json:"name"`
	About     string `json:"about"`
	OnlyNamed bool   `json:"only_when_named"`
	measure   func(context.Context, *bench) error
}

// Figures lists them in the order in which they are measured.
func Figures() []Figure {
	return []Figure{
		{Name: "fsync", About: "one synchronised write of 4 KB: the floor under every durable answer", measure: fsync},
		{Name: "warm", About: "StartSession to IDLE with a driver that was started ahead", measure: warm},
		{Name: "start", About: "StartSession to IDLE and to the first count, beside plain pyspark", measure: start},
		{Name: "trip", About: "submit to result seen, of 1+1 and of a count of 1,000 rows", measure: trip},
		{Name: "poll", About: "GetSessionStatus a second, over 1, 8 and 32 connections, beside a bare net/http handler and moto", measure: poll},
		{Name: "records", About: "GetSessionStatus a second, with 10, 1,000 and 100,000 sessions on record", measure: records},
		{Name: "restart", About: "the server killed and started: until it answers, and until sessions that were there do", measure: restart},
		{Name: "cancel", About: "StopCalculationExecution until the code has stopped: a Spark job, a Python loop, a sleep inside Java", measure: cancel},
		{Name: "death", About: "a driver's Java or Python killed, until its session is FAILED", measure: death},
		{Name: "memory", About: "what idle sessions take of memory and processors", measure: memory},
		{Name: "storm", About: "many StartSession at once: what becomes of them, and what polls take meanwhile", measure: storm},
		{Name: "connect", About: "Spark Connect through Hearth and straight to the driver, in turns", measure: connect},
		{Name: "peers", About: "the same of plain pyspark, Jupyter Kernel Gateway, a Spark Connect server and Livy", measure: peers},
		{Name: "query", About: "a query of ten seconds, beside plain pyspark in turns", OnlyNamed: true, measure: query},
		{Name: "long", About: "mixed load for a time: the server's memory and descriptors", OnlyNamed: true, measure: long},
		{Name: "objects", About: "the S3 API beside versitygw; a quarter of an hour, up to 12 GiB of disk", OnlyNamed: true, measure: objects},
	}
}

// Check refuses options that cannot be, with KindInvalid.
func (o Options) Check() error {
	names := make([]string, 0)
	for _, f := range Figures() {
		names = append(names, f.Name)
	}
	for _, name := range o.Only {
		if !slices.Contains(names, name) {
			return hearth.Errorf(hearth.KindInvalid, "There is no figure %q; there are %s.", name, strings.Join(names, ", "))
		}
	}
	switch {
	case o.Runs < 1:
		return hearth.Errorf(hearth.KindInvalid, "%d runs measure nothing: give 1 or more.", o.Runs)
	case o.Sessions < 1 || o.Storm < 1:
		return hearth.Errorf(hearth.KindInvalid, "Sessions are measured from 1 on.")
	case o.Period <= 0 || o.For <= 0:
		return hearth.Errorf(hearth.KindInvalid, "Rates and the long run need some time to be measured.")
	}
	return nil
}

// bench is a run.
type bench struct {
	Options
	scratch string
	engine  *spark.Engine
	figure  string
	report  *Report

	failures []error // what could not be measured
}

// Run measures the figures, one after another. The error has what could not be
// measured, and the report says so in its notes and has everything else.
func Run(ctx context.Context, o Options) (*Report, error) {
	b := &bench{Options: o, report: &Report{
		Began: time.Now().UTC().Truncate(time.Second), Command: o.Command, Machine: thisMachine(),
		Versions: map[string]string{"hearth": o.Version, "go": runtime.Version()},
	}}
	if err := b.open(ctx); err != nil {
		return nil, err
	}
	for _, f := range Figures() {
		if ctx.Err() != nil || !b.wanted(f) {
			continue
		}
		b.figure = f.Name
		b.tell("measuring %s: %s", f.Name, f.About)
		if err := f.measure(ctx, b); err != nil {
			b.failed(err)
		}
	}
	b.report.Rows = slices.DeleteFunc(b.report.Rows, func(r *Row) bool { return len(r.Samples) == 0 })
	if ctx.Err() != nil {
		b.failures = []error{ctx.Err()}
	}
	return b.report, errors.Join(append(b.failures, os.RemoveAll(b.scratch))...)
}

// open finds the engine that is measured and compared with.
func (b *bench) open(ctx context.Context) (err error) {
	if b.engine, err = b.Engines.Install(ctx, spark.DefaultVersion, spark.TerminalProgress(b.Progress)); err != nil {
		return err
	}
	b.report.Versions["spark"], b.report.Versions["python"], b.report.Versions["java"] = b.engine.Version, b.engine.Python.Version, b.engine.Java.Version
	b.scratch, err = os.MkdirTemp("", "hearth-bench-")
	return err
}

func (b *bench) wanted(f Figure) bool {
	if len(b.Only) == 0 {
		return !f.OnlyNamed
	}
	return slices.Contains(b.Only, f.Name)
}

// row begins a line of the report.
func (b *bench) row(who, what, unit string) *Row {
	r := &Row{Figure: b.figure, Who: who, What: what, Unit: unit}
	b.report.Rows = append(b.report.Rows, r)
	return r
}

// ours begins a line of Hearth's.
func (b *bench) ours(what, unit string) *Row { return b.row(us, what, unit) }

const us = "Hearth"

// note tells, now and in the report, what is not measured and why.
func (b *bench) note(format string, args ...any) {
	note := fmt.Sprintf("%s: %s", b.figure, fmt.Sprintf(format, args...))
	b.report.Notes = append(b.report.Notes, note)
	b.tell("%s", note)
}

// failed notes what could not be measured, in a line; the run's error has all of
// the reason.
func (b *bench) failed(err error) {
	reason, _, _ := strings.Cut(err.Error(), "\n")
	b.note("not measured, or not all of it: %s", reason)
	b.failures = append(b.failures, fmt.Errorf("%s: %w", b.figure, err))
}

func (b *bench) tell(format string, args ...any) {
	fmt.Fprintf(b.Progress, format+"\n", args...)
}

// Write puts the report into a file, as JSON with a line for each row.
func (r *Report) Write(path string) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	text = bytes.ReplaceAll(text, []byte(`{"figure":`), []byte("\n{\"figure\":")) // inside a text the quotes are escaped
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
