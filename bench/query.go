package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
)

const (
	// longQuery is a query of so many rows. Of the last number it takes some ten
	// seconds on two cores.
	longQuery = "spark.range(%d).selectExpr('sum(sin(id))').collect()"

	longQueryRows  = 750_000_000
	queriesAtLeast = 3
	queryMost      = 1.03 // of what plain pyspark takes
)

// plainQueries runs a query for each line that has its rows, and says when it is
// done.
const plainQueries = plainSession + `
import sys
for line in sys.stdin:
    eval(sys.argv[1] % int(line))
    print("done", flush=True)
`

// query compares a long query in a session with the same in plain pyspark: what
// makes a start short may not slow what comes after it. Both are there all the
// time and take turns, and who is first changes.
func query(ctx context.Context, b *bench) (err error) {
	s, session, err := b.serveSession(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	pyspark, err := b.startPlainQueries(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pyspark.close()) }()

	what := fmt.Sprintf(longQuery, longQueryRows)
	plain, ours := b.row("plain pyspark", what, "ms"), b.ours(what, "ms")
	turns := []struct {
		row *Row
		ask func(rows int) error
	}{
		{plain, pyspark.ask},
		{ours, func(rows int) error { return s.calculate(ctx, session, fmt.Sprintf(longQuery, rows)) }},
	}
	for _, t := range turns { // Spark compiles, and Java warms up
		if err := t.ask(longQueryRows / 10); err != nil {
			return err
		}
	}
	for range max(queriesAtLeast, b.Runs) {
		for _, t := range turns {
			if err := t.row.timed(1, func() error { return t.ask(longQueryRows) }); err != nil {
				return err
			}
		}
		turns[0], turns[1] = turns[1], turns[0]
	}
	ours.over(plain)
	ours.goal(ours.Median <= queryMost*plain.Median, "≤ %v × plain pyspark", queryMost)
	return nil
}

// queries is plain pyspark that is asked again and again.
type queries struct {
	command   *exec.Cmd
	in        io.WriteCloser
	out       *bufio.Reader
	complaint strings.Builder
}

func (b *bench) startPlainQueries(ctx context.Context) (*queries, error) {
	q := &queries{command: exec.CommandContext(ctx, b.engine.Python.Program, "-c", plainQueries, longQuery)}
	q.command.Dir, q.command.Env, q.command.Stderr = b.scratch, b.pysparkEnvironment(), &q.complaint
	in, err := q.command.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := q.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	q.in, q.out = in, bufio.NewReader(out)
	return q, q.command.Start()
}

func (q *queries) ask(rows int) error {
	if _, err := fmt.Fprintln(q.in, rows); err != nil {
		return err
	}
	_, err := q.out.ReadString('\n')
	return err
}

// close ends it, which ends its Java.
func (q *queries) close() error {
	err := errors.Join(q.in.Close(), q.command.Wait())
	if err != nil {
		err = fmt.Errorf("plain pyspark: %w\n%s", err, q.complaint.String())
	}
	return err
}
