package athena_test

import (
	"context"
	"io"
	"sync"
	"time"

	"hearth"
)

// processless are drivers without processes: they are there until they are told
// to end.
type processless struct {
	ready bool // they are at once; else never

	mu   sync.Mutex
	byID map[string]*lasting
}

func (p *processless) Launch(_ context.Context, launch hearth.Launch) (hearth.Driver, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byID == nil {
		p.byID = map[string]*lasting{}
	}
	if p.byID[launch.SessionID] == nil {
		p.byID[launch.SessionID] = &lasting{ready: p.ready, ended: make(chan struct{})}
	}
	return p.byID[launch.SessionID], nil
}

func (*processless) Recover(context.Context, string) (hearth.Driver, hearth.Adoption, error) {
	return nil, hearth.NeverLaunched, nil
}

func (*processless) Warm(_ context.Context, id string) (hearth.Warm, error) {
	return hearth.Warm{}, hearth.Errorf(hearth.KindNotFound, "no driver was launched ahead as %s", id)
}
func (*processless) Known(context.Context) ([]string, error) { return nil, nil }
func (*processless) Remove(context.Context, string) error    { return nil }

func (*processless) Log(_ context.Context, id string, _ int64, _ bool) (io.ReadCloser, error) {
	return nil, hearth.Errorf(hearth.KindNotFound, "session %s has no log", id)
}

type lasting struct {
	ready bool
	once  sync.Once // it may be told again
	ended chan struct{}
}

func (*lasting) Execute(context.Context, string, string) error { return nil }
func (*lasting) Cancel(context.Context, string) error          { return nil }
func (l *lasting) End(context.Context) error                   { l.once.Do(func() { close(l.ended) }); return nil }

func (l *lasting) Follow(ctx context.Context, offset int64, handle func(hearth.DriverEvent) error) error {
	if l.ready {
		offset++
		if err := handle(hearth.DriverEvent{Type: hearth.DriverReady, At: time.Now(), Offset: offset}); err != nil {
			return err
		}
	}
	select {
	case <-l.ended:
		return handle(hearth.DriverEvent{Type: hearth.DriverExited, At: time.Now(), Offset: offset + 1, Exit: hearth.ExitRequested})
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (*lasting) Output(_ context.Context, id string, _ hearth.Stream, _ int64) (io.ReadCloser, error) {
	return nil, hearth.CalculationNotFound(id)
}

func (*lasting) Written(_ context.Context, id string, _ hearth.Stream) (io.ReadSeekCloser, error) {
	return nil, hearth.CalculationNotFound(id)
}

func (*lasting) Result(_ context.Context, id string) (io.ReadCloser, error) {
	return nil, hearth.CalculationNotFound(id)
}

func (*lasting) Connect(context.Context) (hearth.Endpoint, error) {
	return hearth.Endpoint{}, errNoConnect
}

func (*lasting) UI(context.Context) (hearth.Endpoint, error) { return hearth.Endpoint{}, errNoConnect }

var errNoConnect = hearth.Errorf(hearth.KindUnavailable, "The driver has no Spark.")
