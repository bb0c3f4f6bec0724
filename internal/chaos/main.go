// Chaos is a program that proves what docs/reliability.md promises:
//
//	go run ./internal/chaos [-seed N] [-kills N] [-for D] [-spark] [-keep]
//
// It builds the hearth binary, serves a scratch directory, uses sessions
// through the AWS SDK, and meanwhile kills and freezes the server, shims,
// Python kernels and JVMs, at moments that come from a seeded generator. It
// keeps a history of all that was asked, answered, done and seen, and in the
// end checks it. Everything it starts listens on loopback and is ended.
//
// A seed repeats the choices, not the instants: which line of code a fault
// meets is up to the machine.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// plan is what a run is to do.
type plan struct {
	Seed  uint64
	Kills int           // faults: kills and freezes
	For   time.Duration // after which no more are made
	Spark bool          // real drivers instead of light ones
	Keep  bool          // the scratch directory stays
}

func main() {
	var p plan
	flag.Uint64Var(&p.Seed, "seed", rand.Uint64N(1_000_000), "what all choices follow from")
	flag.IntVar(&p.Kills, "kills", 100, "how many faults to make")
	flag.DurationVar(&p.For, "for", 10*time.Minute, "make no more faults after that `time`")
	flag.BoolVar(&p.Spark, "spark", false, "run drivers with Spark")
	flag.BoolVar(&p.Keep, "keep", false, "keep the scratch directory")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	report, err := carryOut(ctx, p)
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(2)
	}
	fmt.Print(report)
	if len(report.violations) > 0 {
		os.Exit(1)
	}
}

// command repeats the plan.
func (p plan) command() string {
	text := fmt.Sprintf("go run ./internal/chaos -seed %d -kills %d -for %v", p.Seed, p.Kills, p.For)
	if p.Spark {
		text += " -spark"
	}
	return text
}
