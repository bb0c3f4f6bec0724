package sessions

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"hearth"
	"hearth/internal/faultpoint"
)

// PoolConfig says how many drivers are started ahead of sessions, and for which.
type PoolConfig struct {
	// Drivers is how many there are to be.
	Drivers int
	// Aside leaves drivers alone that wait for sessions of another server. There are
	// to be none of this one's then.
	Aside bool
	// Age is when one ends that no session has claimed, 0 is never; another one takes
	// its place.
	Age time.Duration
	// Bound gives all that a launch does not say of what a driver cannot change after
	// its start. It is the same for another server with the same settings.
	Bound func(hearth.Launch) string
	// Available tells how much memory, in bytes, the machine could give to another
	// driver; nil or false is not known, and enough.
	Available func() (bytes int64, known bool)
}

// pool keeps drivers that wait for sessions. Each has the id that its session
// will have: recording a session with it is the claim, and a driver of a launch
// that was warm is of the pool as long as no session is on record with its id.
type pool struct {
	*Service
	config PoolConfig
	woken  chan struct{} // has room for one

	mu       sync.Mutex
	recent   []start // newest first
	members  map[string]*member
	closed   bool          // no driver is started any more
	found    chan struct{} // closed when those of an earlier server are taken up; nil when nobody looks for them
	readyAt  time.Time     // when the last session got ready
	since    time.Time     // since when there are too few; zero when there are enough
	hushed   bool          // it waits until no code runs
	failures int           // of launches, since the last that succeeded
	retryAt  time.Time
	counts   hearth.PoolCounts
}

// start is what a driver of the same kind as a session's is launched with.
type start struct {
	key    string
	launch hearth.Launch
}

// member is a driver of the pool.
type member struct {
	standing
	driver   hearth.Driver      // nil while it is being launched
	unwanted bool               // it is told to end
	silent   bool               // it does not answer
	leave    context.CancelFunc // ends what is done for it here
	left     chan struct{}      // closed when nothing is
}

func newPool(s *Service, config PoolConfig) *pool {
	if config.Bound == nil {
		config.Bound = func(launch hearth.Launch) string { return launch.Engine }
	}
	return &pool{Service: s, config: config, woken: make(chan struct{}, 1), members: make(map[string]*member)}
}

// state tells how the drivers of the pool stand.
func (p *pool) state() hearth.PoolState {
	p.mu.Lock()
	defer p.mu.Unlock()
	state := hearth.PoolState{PoolCounts: p.counts, Size: p.config.Drivers}
	for _, m := range p.members {
		if m.warm {
			state.Warm++
		} else {
			state.Starting++
		}
		state.Oldest = max(state.Oldest, p.now().Sub(m.begun))
	}
	return state
}

// stepped is told of each step of a session.
func (p *pool) stepped(from, to hearth.SessionState) {
	p.mu.Lock()
	defer p.mu.Unlock()
	ready := to.Ready() && !from.Ready()
	if ready {
		p.readyAt = p.now()
	}
	if ready || to.Ended() || p.hushed && to == hearth.SessionIdle {
		p.wake()
	}
}

func (p *pool) wake() {
	select {
	case p.woken <- struct{}{}:
	default:
	}
}

// has reports whether a driver waits for a session, or is about to.
func (p *pool) has(ctx context.Context, id string) bool {
	if p.config.Aside {
		_, err := p.drivers.Warm(ctx, id)
		return err == nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.members[id] != nil
}

// startOf gives what a driver for sessions like this one is launched with; its
// key is "" when there can be none.
func (p *pool) startOf(session hearth.Session) start {
	launch := launchOf(session, nil)
	launch.SessionID, launch.NotebookID, launch.StartedAt, launch.IdleTimeout = "", "", time.Time{}, 0
	key := keyOf(launch, p.config.Bound(launch))
	launch.Properties = launch.StaticProperties()
	return start{key, launch}
}

// claim is a driver that a session is to be recorded with; the member is nil when
// there is none.
type claim struct {
	like start
	*member
}

// take gives a new session its driver, unless it is to wait for its turn. settle
// has to be called.
func (p *pool) take(session hearth.Session, enters bool) claim {
	if p.config.Drivers == 0 {
		return claim{}
	}
	like := p.startOf(session)
	if !enters {
		return claim{like: like}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var able []standing
	for _, m := range p.members {
		if m.driver != nil && !m.unwanted && !m.silent {
			able = append(able, m.standing)
		}
	}
	id, found := choose(able, like.key)
	if !found {
		return claim{like: like}
	}
	p.members[id].taken = true
	return claim{like, p.members[id]}
}

// settle is told what came of the session that a driver was taken for. Without
// one the driver is there for the next, unless none is to be any more. One whose
// session has to wait for its turn after all is given up: it would take memory that
// others wait for, and nobody could have it.
func (p *pool) settle(c claim, recorded hearth.Session, created bool, err error) {
	if p.config.Drivers == 0 {
		return
	}
	defer p.wake()
	if created {
		p.note(c.like, c.member != nil && !recorded.Waiting)
	}
	if c.member == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case created && !recorded.Waiting:
		c.leave()
		delete(p.members, c.id)
	case created, p.closed, err != nil && unsure(err):
		p.giveUp(c.member)
	default:
		c.taken = false
	}
}

// unsure reports whether what was refused may be on record nevertheless.
func unsure(err error) bool {
	kind := hearth.KindOf(err)
	return kind == hearth.KindInternal || kind == hearth.KindUnavailable
}

// note counts a start.
func (p *pool) note(like start, hit bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if hit {
		p.counts.Hits++
	} else {
		p.counts.Misses++
	}
	if like.key != "" {
		p.recent = slices.Insert(p.recent, 0, like)
		p.recent = p.recent[:min(len(p.recent), recentStarts)]
	}
}

// prepare finds out what was started lately; for a server's first start it is
// what most sessions will be.
func (p *pool) prepare(ctx context.Context) error {
	p.found = make(chan struct{})
	if p.config.Drivers == 0 {
		return nil
	}
	last, _, err := p.store.Sessions(ctx, hearth.SessionFilter{}, hearth.Page{Limit: recentStarts})
	if err != nil {
		return err
	}
	if len(last) == 0 {
		group, err := p.store.WorkGroup(ctx, hearth.WorkGroupPrimary)
		if hearth.KindOf(err) == hearth.KindNotFound {
			return nil
		}
		if err != nil {
			return err
		}
		usual, err := p.asked("", group, hearth.SessionRequest{})
		if err != nil { // it has no sessions
			return nil
		}
		last = append(last, usual)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, session := range last {
		if like := p.startOf(session); like.key != "" {
			p.recent = append(p.recent, like)
		}
	}
	return nil
}

// takeUp finds the drivers of the pool that an earlier server left, and ends
// those that are of no use to this one.
func (p *pool) takeUp(ctx context.Context) {
	defer close(p.found)
	if p.config.Aside {
		return
	}
	ids, err := p.drivers.Known(ctx)
	if err != nil {
		p.log.Error("drivers that wait for sessions could not be looked for", "error", err)
	}
	for _, id := range ids {
		if ctx.Err() != nil {
			return
		}
		if _, err := p.store.Session(ctx, id); hearth.KindOf(err) != hearth.KindNotFound {
			continue
		}
		warm, err := p.drivers.Warm(ctx, id)
		if hearth.KindOf(err) == hearth.KindNotFound {
			continue
		}
		if err == nil {
			err = p.takeUpOne(ctx, id, warm)
		}
		if err != nil {
			p.log.Warn("a driver that waits for a session could not be taken up", "session", id, "error", err)
		}
	}
}

func (p *pool) takeUpOne(ctx context.Context, id string, warm hearth.Warm) error {
	faultpoint.At("warm driver", "to be found again")
	driver, adoption, err := p.drivers.Recover(ctx, id)
	faultpoint.At("warm driver", "found again")
	if err != nil {
		return err
	}
	if adoption != hearth.Alive && adoption != hearth.Silent {
		return p.drivers.Remove(ctx, id)
	}
	p.mu.Lock()
	like := p.like(warm.Key)
	p.mu.Unlock()
	wanted := like.key != ""
	p.log.Info("a driver that waits for a session is taken up", "session", id, "driver", adoption, "of use", wanted)
	p.admit(ctx, standing{id: id, key: warm.Key, memory: like.launch.Memory, begun: p.now()}, func(context.Context) (hearth.Driver, error) { return driver, nil })
	if !wanted {
		p.end(id)
	}
	return nil
}

// admit looks after a driver from now on, unless all are about to end.
func (p *pool) admit(ctx context.Context, as standing, get func(context.Context) (hearth.Driver, error)) {
	m := &member{standing: as, left: make(chan struct{})}
	ctx, m.leave = context.WithCancel(ctx)
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		m.leave()
		return
	}
	p.members[m.id] = m
	p.mu.Unlock()
	p.tending.Go(func() {
		defer close(m.left)
		defer m.leave()
		driver, err := get(ctx)
		if err == nil {
			var exit hearth.ExitCause
			if exit, err = p.follow(ctx, m, driver); err == nil && exit != hearth.ExitFault {
				p.forget(ctx, m, false)
				return
			}
		}
		if ctx.Err() == nil {
			p.log.Error("a driver that was to wait for a session is lost", "session", m.id, "error", err)
			p.forget(ctx, m, true)
		}
	})
}

// launch starts a driver ahead.
func (p *pool) launch(ctx context.Context, like start) {
	now := p.now()
	launch := like.launch
	launch.SessionID, launch.Warm = hearth.NewID(now), &hearth.Warm{Key: like.key, Age: p.config.Age}
	p.admit(ctx, standing{id: launch.SessionID, key: like.key, memory: launch.Memory, begun: now}, func(ctx context.Context) (hearth.Driver, error) {
		faultpoint.At("warm driver", "to be launched")
		driver, err := p.drivers.Launch(ctx, launch)
		faultpoint.At("warm driver", "launched")
		return driver, err
	})
}

// follow returns when the driver has ended, and with an error when it cannot be
// told or a session has claimed it.
func (p *pool) follow(ctx context.Context, m *member, driver hearth.Driver) (exit hearth.ExitCause, err error) {
	p.mu.Lock()
	m.driver = driver
	unwanted := m.unwanted
	p.mu.Unlock()
	if unwanted {
		p.tell(m, driver)
	}
	warm := false
	err = driver.Follow(ctx, 0, func(e hearth.DriverEvent) error {
		switch e.Type {
		case hearth.DriverWarm:
			warm = true
			p.stands(m, true)
		case hearth.DriverResponsive:
			if warm {
				p.stands(m, true)
			}
		case hearth.DriverUnresponsive:
			p.stands(m, false)
		case hearth.DriverExited:
			exit = e.Exit
			p.log.Info("a driver that waited for a session has ended", "session", m.id, "reason", e.Reason)
		}
		return nil
	})
	return exit, err
}

func (p *pool) stands(m *member, warm bool) {
	p.mu.Lock()
	if m.warm, m.silent = warm, !warm; warm {
		p.failures, p.retryAt = 0, time.Time{}
	}
	p.mu.Unlock()
	if warm {
		p.log.Info("a driver waits for a session", "session", m.id, "after", p.now().Sub(m.begun))
	}
	p.wake()
}

// forget removes what a driver has left that ended without a session.
func (p *pool) forget(ctx context.Context, m *member, failed bool) {
	p.mu.Lock()
	if p.members[m.id] != m { // it has got one after all
		p.mu.Unlock()
		return
	}
	delete(p.members, m.id)
	if p.counts.Ended++; failed {
		p.counts.Failed++
		p.failures++
		p.retryAt = p.now().Add(retryOf(p.failures))
	}
	p.mu.Unlock()
	faultpoint.At("warm driver", "to be removed")
	if err := p.drivers.Remove(ctx, m.id); err != nil && hearth.KindOf(err) != hearth.KindConflict { // its session has another one by now
		p.log.Warn("what a driver left could not be removed", "session", m.id, "error", err)
	}
	faultpoint.At("warm driver", "removed")
	p.wake()
}

// end has a driver end that is not to wait any longer. It reports whether that is
// news: one that is told already, or that a session is about to have, is left alone.
func (p *pool) end(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.members[id]
	if m == nil || m.taken || m.unwanted {
		return false
	}
	p.giveUp(m)
	return true
}

// giveUp has a driver end that no session can have from now on. p.mu is held.
func (p *pool) giveUp(m *member) {
	m.taken, m.unwanted = false, true
	if m.driver != nil { // else it is told as soon as there is somebody to tell
		p.tell(m, m.driver)
	}
}

// tell lets nobody wait for a driver that may not answer.
func (p *pool) tell(m *member, driver hearth.Driver) {
	p.Service.mu.Lock()
	defer p.Service.mu.Unlock()
	if p.leaving.Err() != nil {
		return // it is for the next server to tell
	}
	p.tending.Go(func() {
		faultpoint.At("warm driver", "to be told to end")
		if err := driver.End(p.leaving); err != nil && p.leaving.Err() == nil {
			p.log.Warn("a driver that waits for a session could not be told to end", "session", m.id, "error", err)
		}
		faultpoint.At("warm driver", "told to end")
	})
}

// makeRoom gives up the drivers that wait when a session is to start for which
// memory is short.
func (p *pool) makeRoom(memory int64) {
	if free, known := p.available(); !known || free >= memory {
		return
	}
	for _, m := range p.all() {
		if p.end(m.id) {
			p.log.Info("a driver that waits for a session gives its memory to another", "session", m.id)
		}
	}
}

func (p *pool) available() (bytes int64, known bool) {
	if p.config.Available == nil {
		return 0, false
	}
	return p.config.Available()
}

func (p *pool) all() []*member {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Collect(maps.Values(p.members))
}

// endAll ends the drivers of the pool and starts no more. It returns when they
// have ended, or their sessions have them, or ctx is done.
func (p *pool) endAll(ctx context.Context) error {
	if p.found != nil {
		select {
		case <-p.found:
		case <-ctx.Done():
			return hearth.Errorf(hearth.KindUnavailable, "The drivers that wait for sessions have not been found in time.")
		}
	}
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	all := p.all()
	for _, m := range all {
		p.end(m.id)
	}
	for _, m := range all {
		select {
		case <-m.left:
		case <-p.leaving.Done():
			return errLeaving
		case <-ctx.Done():
			return hearth.Errorf(hearth.KindUnavailable, "A driver that waits for a session, %s, has been told to end and has not ended in time.", m.id)
		}
	}
	return nil
}

// keep has as many drivers wait as there are to be.
func (p *pool) keep(ctx context.Context) {
	for {
		again, err := p.decide(ctx)
		if err != nil && ctx.Err() == nil {
			p.log.Error("drivers cannot be started ahead of sessions", "error", err)
			again = p.now().Add(roomRetry)
		}
		var alarm <-chan time.Time
		if !again.IsZero() {
			alarm = time.After(again.Sub(p.now()))
		}
		select {
		case <-p.woken:
		case <-alarm:
		case <-ctx.Done():
			return
		}
	}
}

// decide decides once and acts, and says when to do so again.
func (p *pool) decide(ctx context.Context) (again time.Time, err error) {
	p.mu.Lock()
	p.hushed = true // what ends from here on may not be in what is read
	p.mu.Unlock()
	live, err := p.store.LiveSessions(ctx)
	if err != nil {
		return again, err
	}
	room := memory{needed: make(map[string]int64), quota: p.quotas.Account.Memory}
	room.free, room.known = p.available()
	for _, s := range live {
		room.promised += s.EngineConfiguration.Memory
	}
	p.mu.Lock()
	f := poolFacts{size: p.config.Drivers, memory: room, retryAt: p.retryAt, now: p.now()}
	for _, like := range p.recent {
		f.recent = append(f.recent, like.key)
		room.needed[like.key] = like.launch.Memory
	}
	for _, m := range p.members {
		if m.unwanted {
			f.starting = true
		} else {
			f.members = append(f.members, m.standing)
		}
	}
	closed := p.closed
	f.starting = f.starting || slices.ContainsFunc(live, func(s hearth.Session) bool {
		return !s.Waiting && !s.State.Ready() && s.State != hearth.SessionTerminating
	})
	f.busy = slices.ContainsFunc(live, func(s hearth.Session) bool { return s.State == hearth.SessionBusy })
	lacking, _ := balance(f)
	like := p.like(lacking)
	switch {
	case lacking == "":
		p.since = time.Time{}
	case p.since.IsZero():
		p.since = f.now
	}
	f.readyAt, f.since = p.readyAt, p.since
	p.mu.Unlock()
	if closed {
		return again, nil
	}
	step := decidePool(f)
	p.mu.Lock()
	p.hushed = step.calm
	p.mu.Unlock()
	for _, id := range step.end {
		p.end(id)
	}
	if step.launch != "" {
		p.mu.Lock()
		p.counts.Launched++
		p.mu.Unlock()
		p.launch(ctx, like)
	}
	return step.again, nil
}

// like gives the start that has a key. p.mu is held.
func (p *pool) like(key string) start {
	i := slices.IndexFunc(p.recent, func(s start) bool { return s.key == key })
	if i < 0 {
		return start{}
	}
	return p.recent[i]
}
