package shim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"hearth/internal/faultpoint"
	"hearth/internal/kernel"
)

// Main runs the shim of the driver in a bundle until the driver has ended, and
// returns an exit status: 0 when it served, 1 when it came to nothing. It says
// which on standard output, once, as Started. The catalog is for launches that
// name one.
func Main(bundle string, catalog Catalog) int {
	// The driver's processes are tied to the life of the thread that starts
	// them, so this one stays.
	runtime.LockOSThread()
	// Python and Java are not to inherit that these are ignored, as they would
	// with signal.Ignore.
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGPIPE)

	s, err := begin(bundle, catalog)
	started := Started{}
	if err != nil {
		started.Error = err.Error()
	}
	_ = json.NewEncoder(os.Stdout).Encode(started) // whoever launched may have gone
	if err != nil {
		fmt.Fprintln(os.Stderr, "hearth shim:", err)
		return 1
	}
	if err := s.run(signals); err != nil {
		s.log.Error("the shim left something behind", "error", err)
	}
	return 0
}

// shim is a running one.
type shim struct {
	bundle   string
	launch   Launch
	log      *slog.Logger
	logFile  *os.File
	journal  *journal
	bounds   bounds
	children *children
	files    *Files
	catalog  io.Closer // nil is none
	output   *output
	board    *board
	server   *server
	oomKills int // when the driver started

	facts chan fact
	left  chan struct{} // closed when the loop is over
}

// begin starts the driver. When it fails nothing runs, and this process is to end.
func begin(bundle string, catalog Catalog) (*shim, error) {
	s := &shim{
		bundle: bundle, board: &board{}, files: &Files{}, oomKills: oomKills(),
		facts: make(chan fact), left: make(chan struct{}),
	}
	switch found, err := Load(bundle, LaunchFile, &s.launch); {
	case err != nil:
		return nil, err
	case !found:
		return nil, fmt.Errorf("%s has no %s", bundle, LaunchFile)
	case s.launch.Protocol != Protocol:
		return nil, fmt.Errorf("the launch is of protocol %d, this shim knows %d", s.launch.Protocol, Protocol)
	}
	if err := s.lock(); err != nil {
		return nil, err
	}
	faultpoint.At("bundle", "locked")
	var err error
	if s.logFile, err = os.OpenFile(filepath.Join(bundle, LogFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600); err != nil {
		return nil, err
	}
	s.log = slog.New(slog.NewTextHandler(s.logFile, nil)).With("from", "shim")
	if s.journal, err = createJournal(filepath.Join(bundle, JournalFile)); err != nil {
		return nil, err
	}
	if err := layBallast(bundle); err != nil {
		return nil, err
	}
	listener, dir, err := listen(bundle)
	if err != nil {
		return nil, err
	}
	faultpoint.At("socket", "there")
	s.server = &server{launch: s.launch, bundle: bundle, dir: dir, listener: listener, board: s.board, ask: func(a asked) bool { return s.send(a) }}
	if err := s.offer(catalog); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	if err := s.spawn(); err != nil {
		return nil, errors.Join(err, listener.Close(), s.withdraw())
	}
	return s, nil
}

// offer has the catalog there before the process that looks for it.
func (s *shim) offer(catalog Catalog) error {
	if s.launch.Catalog == "" || s.launch.JVM == nil || catalog == nil {
		return nil
	}
	served, environment, err := catalog(s.launch.Catalog, s.bundle, s.files, s.log)
	if err != nil {
		return fmt.Errorf("its catalog could not be served: %w", err)
	}
	s.catalog = served
	s.launch.JVM.Env = append(s.launch.JVM.Env, environment...)
	return nil
}

// withdraw ends what offer began.
func (s *shim) withdraw() error {
	if s.catalog == nil {
		return nil
	}
	return s.catalog.Close()
}

// lock claims the bundle for as long as this process lives. A bundle is used
// once: when its driver has ended, so has its story.
func (s *shim) lock() error {
	// A bare descriptor: nothing closes it before the process ends.
	fd, err := syscall.Open(filepath.Join(s.bundle, LockFile), syscall.O_RDWR|syscall.O_CREAT|syscall.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	if err := lockSoon(fd); err != nil {
		return fmt.Errorf("another shim has this driver: %w", err)
	}
	var before Identity
	found, err := Load(s.bundle, IdentityFile, &before)
	if err == nil && found {
		err = errors.New("this driver ran before")
	}
	if err != nil {
		return err
	}
	// Whoever waits for this process in vain has to know whom to kill.
	self, err := json.Marshal(Identity{Protocol: Protocol, BootID: BootID(), At: Seconds(time.Now()), PID: os.Getpid(), StartTime: startTime(os.Getpid())})
	if err == nil {
		_, err = syscall.Pwrite(fd, self, 0)
	}
	return err
}

// lockSoon passes over whoever only looks whether the bundle is locked.
func lockSoon(fd int) error {
	for deadline := time.Now().Add(200 * time.Millisecond); ; time.Sleep(time.Millisecond) {
		err := syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) || time.Now().After(deadline) {
			return err
		}
	}
}

// spawn starts the processes and makes them known.
func (s *shim) spawn() error {
	if err := adoptOrphans(); err != nil {
		return err
	}
	var err error
	if s.bounds, err = bound(s.launch.MemoryLimit, s.launch.Session); err != nil {
		s.log.Info("each of the driver's processes is held to the limit of memory by itself", "because", err)
	}
	if s.children, err = spawn(s.launch, s.bounds); err != nil {
		return errors.Join(err, s.bounds.release())
	}
	s.files.begin(s.children.say)
	faultpoint.At("processes", "spawned")
	kernelPID, jvmPID := s.children.pids()
	s.log.Info("the driver's processes run", "kernel", kernelPID, "jvm", jvmPID)
	now := Seconds(time.Now())
	s.output = &output{bundle: s.bundle, board: s.board}
	s.output.stdout, err = newPump(s.children.stdout, s.logFile)
	if err == nil {
		s.output.stderr, err = newPump(s.children.stderr, s.logFile)
	}
	if err == nil {
		err = s.record(Event{Type: EventSpawned, At: now, KernelPID: kernelPID, JVMPID: jvmPID})
	}
	if err == nil {
		// Not synced yet: the server waits for it.
		err = write(s.bundle, IdentityFile, Identity{
			Protocol: Protocol, BootID: BootID(), At: now,
			PID: os.Getpid(), StartTime: startTime(os.Getpid()),
			KernelPID: kernelPID, KernelStartTime: startTime(kernelPID),
			JVMPID: jvmPID, JVMStartTime: startTime(jvmPID),
			Group: s.bounds.dir(),
		}, false)
		faultpoint.At("identity", "written")
	}
	if err != nil {
		s.children.kill()
		s.children.wait()
		err = errors.Join(err, s.bounds.release())
	}
	return err
}

// run serves until the driver has ended.
func (s *shim) run(signals <-chan os.Signal) error {
	kernelPID, jvmPID := s.children.pids()
	go reapOrphans(map[int]bool{kernelPID: true, jvmPID: true}, s.left)
	broke := func(err error) { s.send(broke{fmt.Errorf("its output could not be kept: %w", plain(err))}) }
	go s.output.stdout.run(broke)
	go s.output.stderr.run(broke)
	go s.syncIdentity()
	go s.watchFiles()
	go s.heed(signals)
	s.server.clients.Go(s.server.run) // counted with them, so that close waits for the last to be let in
	s.children.watch(func(f fact) {
		switch known := f.(type) {
		case told:
			if known.message.Type == kernel.TypeFiles {
				s.files.answered(known.message)
				return
			}
		case died:
			f = died{s.explain(known.death)}
		}
		s.send(f)
	})

	var errs []error
	go func() {
		defer close(s.left)
		loop(newCore(s.launch, time.Now()), s.facts, func(e effect) error {
			if l, ok := e.(leave); ok {
				errs = s.leave(l.event)
				return nil
			}
			return s.perform(e)
		})
	}()
	<-s.left
	errs = append(errs, s.withdraw(), s.server.close(), s.journal.close(), s.children.close())
	return errors.Join(errs...)
}

// send gives the loop a fact. It reports false when the shim has left.
func (s *shim) send(f fact) bool {
	select {
	case s.facts <- f:
		return true
	case <-s.left:
		return false
	}
}

// heed ends the driver when somebody ends the shim. A terminal's signals are
// not meant for it.
func (s *shim) heed(signals <-chan os.Signal) {
	for {
		select {
		case <-s.left:
			return
		case got := <-signals:
			if got == syscall.SIGTERM {
				s.send(asked{op: OpEnd, answer: make(chan reply, 1)})
			}
		}
	}
}

// syncIdentity puts on disk, beside the loop, that the driver was started. What it
// does is not synced before it ends: a server that is killed finds it as it is, and
// when the machine goes down, the driver was lost, whatever its journal says.
func (s *shim) syncIdentity() {
	if err := syncFile(s.bundle, IdentityFile); err != nil {
		s.send(broke{notWritten(err)})
	}
}

// watchFiles ends a driver that no server could reach or take up any more,
// because somebody has removed its files: it would only wait for its idle timeout.
func (s *shim) watchFiles() {
	if s.launch.HeartbeatMS <= 0 {
		return
	}
	again := time.NewTicker(millis(s.launch.HeartbeatMS))
	defer again.Stop()
	for {
		select {
		case <-s.left:
			return
		case <-again.C:
		}
		for _, name := range []string{LaunchFile, LockFile, IdentityFile, SocketName, JournalFile} {
			if _, err := os.Lstat(filepath.Join(s.bundle, name)); errors.Is(err, fs.ErrNotExist) {
				s.send(broke{fmt.Errorf("somebody has removed its file %s", name)})
				return
			}
		}
	}
}

// explain adds to a death what only the living can find out.
func (s *shim) explain(d death) death {
	d.oom = oomKills() > s.oomKills
	if s.bounds.exhausted() {
		d.oom, d.limit = true, s.launch.MemoryLimit
	}
	for _, p := range []*pump{s.output.stdout, s.output.stderr} {
		_ = p.settle() // for the log; an error is found again when the files are closed
	}
	d.log = LogTail(s.bundle)
	return d
}

// LogTail gives the end of a bundle's log, 64 KiB at most, as far as it can be
// read.
func LogTail(bundle string) string {
	const most = 64 << 10
	f, err := Open(filepath.Join(bundle, LogFile))
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > most {
		_, _ = f.Seek(-most, io.SeekEnd)
	}
	text, _ := io.ReadAll(f)
	return string(text)
}

func (s *shim) perform(e effect) error {
	switch e := e.(type) {
	case record:
		return s.record(e.event)
	case tell:
		faultpoint.At("kernel to be told", e.command.Type)
		return s.children.say(e.command)
	case know:
		if err := kernel.Know(s.bundle, e.session); err != nil {
			return fmt.Errorf("what is known of its session could not be written: %w", plain(err))
		}
	case open:
		return s.output.open(e.calculation, e.code)
	case keep:
		return s.output.keep(e.message)
	case complete:
		return s.output.complete(e.message)
	case answer:
		faultpoint.At("request", "to be answered")
		e.to <- e.reply
	case closeJVM:
		s.children.closeJVM()
	case kill:
		s.children.kill()
	}
	return nil
}

// record appends to the journal and shows it.
func (s *shim) record(e Event) error {
	faultpoint.At("event to be written", e.Type)
	if err := s.journal.append(e); err != nil {
		return notWritten(err)
	}
	faultpoint.At("event written", e.Type)
	s.board.set(func(b *standing) { b.journal = s.journal.size })
	return nil
}

func notWritten(err error) error {
	return fmt.Errorf("its journal could not be written: %w", plain(err))
}

// plain takes the path out of a file's error: where it is does not concern
// whoever reads the reason.
func plain(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	return err
}

// leave makes the exit known when nothing of the driver runs any more, and its
// log is complete. What cannot be done does not keep it from doing the rest.
func (s *shim) leave(exit Event) []error {
	faultpoint.At("exit", "to be made known")
	errs := []error{killFamily(), s.bounds.release(), s.output.close()}
	s.log.Info("the driver has ended", "cause", exit.Cause, "reason", exit.Reason)
	errs = append(errs,
		os.Remove(filepath.Join(s.bundle, ballastFile)),
		s.output.sync(), // what the journal says of it is believed after an exit, also when the machine goes down
		s.record(exit),
		s.journal.file.Sync(),
		Save(s.bundle, ExitFile, exit),
	)
	faultpoint.At("exit", "made known")
	errs = append(errs, os.RemoveAll(filepath.Join(s.bundle, TemporaryDir)))
	s.board.set(func(b *standing) { b.calculation, b.over = "", true })
	return errs
}

// layBallast takes a little room on the disk, which is given back when the
// driver ends: on a full disk, its exit can still be written.
func layBallast(bundle string) error {
	return os.WriteFile(filepath.Join(bundle, ballastFile), make([]byte, 64<<10), 0o600)
}
