package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"hearth"
	"hearth/internal/sqlite"
)

// onRecord are how many sessions, all but one of them ended, are on record in turn.
var onRecord = []int{10, 1_000, 100_000}

// records polls servers that have many sessions on record.
func records(ctx context.Context, b *bench) (err error) {
	const clients = 8
	var pollings []polling
	for _, n := range onRecord {
		s, err := b.serveRecords(ctx, 0, n, lightDriver)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.close()) }()
		session, err := s.session(ctx, nil)
		if err != nil {
			return err
		}
		request, body, err := s.request(ctx, "GetSessionStatus", "", map[string]any{"SessionId": session})
		if err != nil {
			return err
		}
		row := b.row(fmt.Sprintf("Hearth with %d sessions on record", n), fmt.Sprintf("GetSessionStatus, %d at once", clients), "requests/s")
		pollings = append(pollings, polling{row, s.address, request, body})
	}
	if err := b.pollInTurns(ctx, clients, pollings); err != nil {
		return err
	}
	few, most := pollings[0].row, pollings[len(pollings)-1].row
	for _, p := range pollings[1:] {
		p.row.over(few)
	}
	most.goal(most.Median >= 0.9*few.Median, "the same")
	return nil
}

// serveRecords is serveWith of a server that has n ended sessions on record.
func (b *bench) serveRecords(ctx context.Context, warm, n int, settings ...string) (*server, error) {
	s, err := b.serve(ctx, settings...) // makes the database, and its workgroups
	if err != nil {
		return nil, err
	}
	err = s.process.end()
	if err == nil {
		err = fill(ctx, filepath.Join(s.data, "hearth.db"), n)
	}
	if err == nil {
		s.warm = warm
		err = s.start(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

const (
	inMemory   = "/dev/shm"
	roomToFill = 1 << 30
)

// fill records ended sessions through the store itself. It works on a copy in
// memory where the system has a directory there: the store syncs each of them.
func fill(ctx context.Context, path string, n int) error {
	where := ""
	var room unix.Statfs_t
	if unix.Statfs(inMemory, &room) == nil && room.Bavail*uint64(room.Bsize) > roomToFill {
		where = inMemory
	}
	where, err := os.MkdirTemp(where, "hearth-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(where)
	working := filepath.Join(where, "hearth.db")
	if err := copyFile(working, path); err != nil {
		return err
	}
	store, err := sqlite.Open(working)
	if err != nil {
		return err
	}
	for range n {
		if _, _, err := store.CreateSession(ctx, endedSession(time.Now()), hearth.Quotas{}, nil); err != nil {
			return errors.Join(err, store.Close())
		}
	}
	if err := store.Close(); err != nil {
		return err
	}
	return copyFile(path, working)
}

func endedSession(at time.Time) hearth.Session {
	version := hearth.EngineVersion{Selected: hearth.EnginePySpark3, Effective: hearth.EnginePySpark3}
	return hearth.Session{
		ID: hearth.NewID(at), WorkGroup: hearth.WorkGroupPrimary, Description: "nightly", Owner: "AKIAEXAMPLE",
		Engine: version, EngineConfiguration: hearth.EngineConfiguration{}.WithDefaults(version, hearth.EngineConfiguration{}),
		Configuration: hearth.SessionConfiguration{WorkingDirectory: "s3://hearth/x", IdleTimeout: hearth.DefaultIdleTimeout},
		State:         hearth.SessionTerminated, StateChangeReason: hearth.ReasonTerminated,
		StartedAt: at, ModifiedAt: at, EndedAt: at,
		Phases: []hearth.StartPhase{{Name: "python", Took: time.Second}, {Name: "jvm", Took: time.Second}},
	}
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
