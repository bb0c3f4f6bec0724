package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hearth/internal/shim"
)

const (
	hostMiB      = 24 << 10 // of the machine that the goal is for
	hostSessions = 50       // that are to be on it

	slicesOfIdling  = 3
	periodsOfIdling = 4 // a slice is as long as that many periods: Spark does something every ten seconds
)

// settling is for what a start leaves to do when memory has been given back: Java
// compiles what it has run often, and somebody has to be the last.
const settling = 10 * time.Second

// memory measures sessions that nobody uses, and the driver that waits for the
// next one: as by default, all but the first were such drivers. They are left
// alone first until they have given back the memory that they do not use.
func memory(ctx context.Context, b *bench) (err error) {
	s, err := b.prepare()
	if err != nil {
		return err
	}
	s.warm = 1
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.start(ctx); err != nil {
		return err
	}
	session := b.ours(whatMemory, "MiB")
	parts := []*Row{
		b.ours("of which the process that supervises it", "MiB"),
		b.ours("of which Python", "MiB"),
		b.ours("of which Java", "MiB"),
	}
	waits := b.ours("a driver that waits for a session, proportional memory", "MiB")
	server := b.ours("the server's resident memory, with one session more each", "MiB")
	sessions := make(map[string]bool)
	for range b.Sessions {
		id, err := s.session(ctx, nil)
		if err != nil {
			return err
		}
		sessions[id] = true
		if err := s.awaitWarm(ctx); err != nil {
			return err
		}
		used, err := statusMiB(s.process.Process.Pid, "VmRSS")
		if err != nil {
			return err
		}
		server.add(used)
	}
	known, err := s.drivers().Known(ctx)
	if err != nil {
		return err
	}
	roots, drivers := []int{s.process.Process.Pid}, make(map[string]shim.Identity)
	for _, id := range known {
		if drivers[id], err = s.identity(id); err != nil {
			return err
		}
		roots = append(roots, drivers[id].PID)
	}
	if err := pause(ctx, shim.TrimAfter+settling); err != nil {
		return err
	}

	idle := b.ours(fmt.Sprintf("processor time of %d idle sessions, the driver that waits and the server, of one processor", b.Sessions), "%")
	for range slicesOfIdling {
		processes, err := family(roots...)
		if err != nil {
			return err
		}
		began, before := time.Now(), usage(processes)
		if err := pause(ctx, periodsOfIdling*b.Period); err != nil {
			return err
		}
		idle.add(100 * float64(before.since()) / float64(time.Since(began)))
	}

	for id, driver := range drivers { // when all are there: each shares with the others
		processes, err := family(driver.PID)
		if err != nil {
			return err
		}
		used, err := proportionalMiB(processes...)
		if err != nil {
			return err
		}
		if !sessions[id] {
			waits.add(used)
			continue
		}
		session.add(used)
		for i, pid := range []int{driver.PID, driver.KernelPID, driver.JVMPID} {
			used, err := proportionalMiB(pid)
			if err != nil {
				return err
			}
			parts[i].add(used)
		}
	}
	hold := b.ours("such sessions in 24 GiB, by calculation", "sessions")
	hold.add(hostMiB / session.Median)
	hold.goal(hold.Median >= hostSessions, "≥ %d", hostSessions)
	return nil
}

// pause waits, or until the run is interrupted.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
