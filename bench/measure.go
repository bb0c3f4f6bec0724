package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"hearth/internal/config"
	"hearth/internal/spark"
)

// bench is what all measurements share.
type bench struct {
	scratch string
	binary  string
	engine  *spark.Engine
	hearth  *server
}

func setUp(ctx context.Context) (*bench, error) {
	scratch, err := os.MkdirTemp("", "hearth-bench-")
	if err != nil {
		return nil, err
	}
	b := &bench{scratch: scratch, binary: filepath.Join(scratch, "hearth")}
	if err := b.prepare(ctx); err != nil {
		b.tearDown()
		return nil, err
	}
	return b, nil
}

func (b *bench) prepare(ctx context.Context) error {
	build := exec.CommandContext(ctx, "go", "build", "-o", b.binary, "./cmd/hearth")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build hearth (run bench from the repository's root): %w\n%s", err, out)
	}
	var err error
	engines := spark.Engines{Dir: config.Default().Engines}
	if b.engine, err = engines.Install(ctx, spark.DefaultVersion, spark.TerminalProgress(os.Stderr)); err != nil {
		return err
	}
	b.hearth, err = b.startHearth(ctx)
	return err
}

func (b *bench) tearDown() {
	var err error
	if b.hearth != nil {
		err = b.hearth.stop()
	}
	if err = errors.Join(err, os.RemoveAll(b.scratch)); err != nil {
		fmt.Fprintln(os.Stderr, "bench: clean up:", err)
	}
}

// disk measures one synchronised write, the floor under every durable answer.
func (b *bench) disk(context.Context, options) ([]figure, error) {
	f, err := os.Create(filepath.Join(b.scratch, "sync"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	page := make([]byte, 4096)
	took, err := timed(50, func() error {
		_, err := f.Write(page)
		return errors.Join(err, f.Sync())
	})
	if err != nil {
		return nil, err
	}
	return []figure{figureOf("one fsync of 4 KB", "ms", took)}, nil
}

// coldStarts takes turns, so that whatever else the machine does meets both.
func (b *bench) coldStarts(ctx context.Context, o options) ([]figure, error) {
	var plain, ready, counted []float64
	for range o.runs {
		took, err := b.pyspark(ctx)
		if err != nil {
			return nil, err
		}
		plain = append(plain, milliseconds(took))

		begin := time.Now()
		session, err := b.hearth.session(ctx, nil)
		if err != nil {
			return nil, err
		}
		ready = append(ready, milliseconds(time.Since(begin)))
		if err := b.hearth.calculate(ctx, session, "spark.range(1).count()"); err != nil {
			return nil, err
		}
		counted = append(counted, milliseconds(time.Since(begin)))
		if err := b.hearth.terminate(ctx, session); err != nil {
			return nil, err
		}
	}
	floor := figureOf("plain pyspark: program start to first count", "ms", plain)
	return []figure{
		floor,
		figureOf("hearth: StartSession to IDLE", "ms", ready).over(floor),
		figureOf("hearth: StartSession to first count COMPLETED", "ms", counted).over(floor),
	}, nil
}

// roundTrips measures submit to result in one warm session.
func (b *bench) roundTrips(ctx context.Context, o options) ([]figure, error) {
	session, err := b.hearth.session(ctx, nil)
	if err != nil {
		return nil, err
	}
	var figures []figure
	for _, code := range []string{"1+1", "spark.range(1000).count()"} {
		took, err := timed(o.trips, func() error { return b.hearth.calculate(ctx, session, code) })
		if err != nil {
			return nil, err
		}
		figures = append(figures, figureOf(fmt.Sprintf("hearth: %s, submit to COMPLETED", code), "ms", took))
	}
	return figures, b.hearth.terminate(ctx, session)
}

// polls measures requests per second. Every answer of hearth is to a request
// whose signature was verified.
func (b *bench) polls(ctx context.Context, o options) ([]figure, error) {
	bareURL, bare, err := b.startBare(ctx)
	if err != nil {
		return nil, err
	}
	defer end(bare)
	motoURL, moto, err := b.startMoto(ctx)
	if err != nil {
		return nil, err
	}
	defer end(moto)
	session, err := b.hearth.session(ctx, nil)
	if err != nil {
		return nil, err
	}

	request, body, err := b.hearth.request(ctx, "GetSessionStatus", "", map[string]any{"SessionId": session})
	if err != nil {
		return nil, err
	}
	ours, err := poll(ctx, o, request, body)
	if err != nil {
		return nil, err
	}
	toBare := request.Clone(ctx)
	if toBare.URL, err = toBare.URL.Parse(bareURL + "/"); err != nil {
		return nil, err
	}
	toBare.Host = toBare.URL.Host
	theirs, err := poll(ctx, o, toBare, body)
	if err != nil {
		return nil, err
	}
	toMoto, motoBody, err := motoRequest(ctx, motoURL)
	if err != nil {
		return nil, err
	}
	mocked, err := poll(ctx, o, toMoto, motoBody)
	if err != nil {
		return nil, err
	}
	of := func(what string) string { return fmt.Sprintf("%s, %d connections", what, o.clients) }
	floor := figureOf(of("bare net/http JSON handler"), "requests/s", theirs)
	mock := figureOf(of("moto: GetWorkGroup"), "requests/s", mocked)
	us := figureOf(of("hearth: GetSessionStatus, SigV4 verified"), "requests/s", ours)
	return []figure{floor, mock, us.over(floor), us.over(mock)}, b.hearth.terminate(ctx, session)
}
