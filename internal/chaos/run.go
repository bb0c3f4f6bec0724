package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"hearth/internal/access"
	"hearth/internal/sigv4"
)

// run is one carrying out of a plan.
type run struct {
	plan
	clients  int
	calmness time.Duration // between faults, on average
	odds     []odds

	scratch string
	marks   string // a directory with a file for each calculation
	server  *server
	api     *api
	history *history
	moments chan moment

	mu     sync.Mutex
	deaths []time.Duration // until a killed process of a driver was seen
}

// finishPatience is how long everything may take to come to its end once no
// more faults are made.
const finishPatience = 90 * time.Second

// carryOut does what the plan says. Its error is that the run could not be
// made; what the run found is in the report.
func carryOut(ctx context.Context, p plan) (_ *report, err error) {
	r := &run{plan: p, clients: 6, calmness: 350 * time.Millisecond, odds: lightOdds, history: &history{}, moments: make(chan moment)}
	if p.Spark {
		r.clients, r.calmness, r.odds = 2, 2*time.Second, sparkOdds
	}
	if r.scratch, err = os.MkdirTemp("", "hearth-chaos-"); err != nil {
		return nil, err
	}
	if !p.Keep {
		defer func() { err = errors.Join(err, os.RemoveAll(r.scratch)) }()
	}
	r.marks = filepath.Join(r.scratch, "marks")
	if err := os.Mkdir(r.marks, 0o700); err != nil {
		return nil, err
	}
	if r.server, err = newServer(ctx, r.scratch, !p.Spark); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, endAll(r.server.data)) }()
	began := time.Now()
	if err := r.carryOut(ctx); err != nil {
		return nil, err
	}
	return r.report(time.Since(began)), nil
}

func (r *run) carryOut(ctx context.Context) error {
	if err := errors.Join(r.server.launch(), r.server.awaitReady(ctx)); err != nil {
		return err
	}
	keys, err := access.Open(r.server.data)
	if err != nil {
		return err
	}
	root := keys.Root()
	r.api = connect(r.server.url, sigv4.Credentials{AccessKeyID: root.AccessKeyID, SecretAccessKey: root.SecretAccessKey}, r.history)

	storming, cancel := context.WithTimeout(ctx, r.For)
	defer cancel()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	load, unload := context.WithCancel(ctx)
	defer unload()
	var working sync.WaitGroup
	for i := range r.clients {
		c := &client{run: r, name: fmt.Sprintf("client-%d", i), rng: rand.New(rand.NewPCG(r.Seed, uint64(i)+1))}
		working.Go(func() { c.work(ctx, load) })
	}
	s := &storm{run: r, rng: rand.New(rand.NewPCG(r.Seed, 0)), frozen: make(map[string]bool), calm: make(chan struct{})}
	failed := s.rage(storming)
	unload()
	defer time.AfterFunc(finishPatience, stop).Stop()
	if failed != nil { // the server is gone for good: nothing can be asked any more
		r.history.trouble(failed.Error())
		stop()
	}
	s.finish()
	working.Wait()
	if failed != nil {
		return nil
	}
	return r.conclude(ctx)
}

// conclude brings everything to its end, looks at all of it, restarts the
// server, looks again, and looks at what is left when the server has ended.
func (r *run) conclude(ctx context.Context) error {
	if err := r.settle(ctx); err != nil {
		return r.cutShort(ctx, err)
	}
	if err := r.lookAtAll(ctx); err != nil {
		return r.cutShort(ctx, err)
	}
	r.history.inflict(fault{At: time.Now(), Victim: aServer})
	if err := errors.Join(r.server.end(syscall.SIGKILL), r.server.launch(), r.server.awaitReady(ctx)); err != nil {
		r.history.trouble(err.Error())
		return nil
	}
	for _, s := range r.history.sessions {
		if err := r.lookAgain(ctx, s); err != nil {
			return r.cutShort(ctx, err)
		}
	}
	if err := r.server.end(syscall.SIGTERM); err != nil {
		r.history.trouble(err.Error())
	} else if state := r.server.command.ProcessState; !state.Success() {
		r.history.trouble(fmt.Sprintf("after SIGTERM the server ended with %v", state))
	}
	return r.lookForLeftovers()
}

// cutShort makes a trouble of what took too long.
func (r *run) cutShort(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	r.history.cut = true
	r.history.trouble(fmt.Sprintf("not everything had come to its end %v after the last fault\n%s", finishPatience, r.server.logTail()))
	return nil
}
