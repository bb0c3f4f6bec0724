package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"time"
)

const startsARun = 2

// start measures cold starts. Hearth and plain pyspark take turns, so that
// whatever else the machine does meets both.
func start(ctx context.Context, b *bench) (err error) {
	s, err := b.serve(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()

	plain := b.row("plain pyspark", "cold: program start to first count", "ms")
	ready := b.ours("cold: StartSession to IDLE", "ms")
	counted := b.ours(whatStart, "ms")
	var phases []*Row
	for range startsARun * b.Runs {
		took, err := b.pyspark(ctx)
		if err != nil {
			return err
		}
		plain.add(milliseconds(took))

		session, err := s.startAndCount(ctx, ready, counted)
		if err != nil {
			return err
		}
		shown, err := s.show(ctx, session)
		if err != nil {
			return err
		}
		for i, phase := range shown.Phases {
			if i == len(phases) {
				phases = append(phases, b.ours("cold: of which "+phase.Name, "ms"))
			}
			phases[i].add(phase.Took)
		}
		if err := s.terminate(ctx, session); err != nil {
			return err
		}
	}
	ready.over(plain)
	counted.over(plain)
	counted.goal(counted.Median <= 0.55*plain.Median, "≤ 0.55 × plain pyspark")
	return nil
}

// startAndCount starts a session, and adds what passed until it was IDLE and until
// it had counted.
func (s *server) startAndCount(ctx context.Context, ready, counted *Row) (session string, err error) {
	began := time.Now()
	if session, err = s.session(ctx, nil); err != nil {
		return "", err
	}
	ready.addSince(began)
	if err := s.calculate(ctx, session, codeFirst); err != nil {
		return "", err
	}
	counted.addSince(began)
	return session, nil
}

// plainSession makes Spark's session, by itself or in the kernel of a peer.
const plainSession = `
from pyspark.sql import SparkSession
spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
`

// plainPyspark is what somebody without Hearth runs.
const plainPyspark = plainSession + `
assert ` + codeFirst + ` == 1
print("counted", flush=True)
spark.stop()
`

// pyspark runs plainPyspark and gives the time from the program's start until it
// has counted.
func (b *bench) pyspark(ctx context.Context) (time.Duration, error) {
	began := time.Now()
	command := exec.CommandContext(ctx, b.engine.Python.Program, "-c", plainPyspark)
	command.Dir = b.scratch
	command.Env = b.pysparkEnvironment()
	out, err := command.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := command.Start(); err != nil {
		return 0, err
	}
	line := make([]byte, len("counted"))
	_, err = io.ReadFull(out, line)
	took := time.Since(began)
	if err = errors.Join(err, command.Wait()); err != nil || string(line) != "counted" {
		return 0, fmt.Errorf("plain pyspark did not count (%q): %w", line, err)
	}
	return took, nil
}

// pysparkEnvironment has a Python of the engine find its Spark and its Java.
func (b *bench) pysparkEnvironment() []string {
	return append(environment(), "PYSPARK_PYTHON="+b.engine.Python.Program, "SPARK_HOME="+b.engine.SparkHome,
		"JAVA_HOME="+b.engine.Java.Home, "SPARK_LOCAL_IP=127.0.0.1")
}
