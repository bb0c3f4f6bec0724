package faultpoint_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"hearth"
	"hearth/internal/access"
	"hearth/internal/driver"
	"hearth/internal/objects"
	"hearth/internal/recent"
	"hearth/internal/sessions"
	"hearth/internal/shim"
	"hearth/internal/sqlite"
	"hearth/internal/testenv"
)

// The test binary is also the shim, and a server that tells its story, clears up
// or changes objects.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 {
		home := os.Args[2]
		switch os.Args[1] {
		case "shim":
			testenv.Moments(filepath.Dir(filepath.Dir(home))).Heed("the shim") // it is the bundle's path
			os.Exit(shim.Main(home, nil))
		case "tell":
			serve(home, func() error { return tell(home, os.Args[3]) })
		case "have drivers wait":
			serve(home, func() error { return haveDriversWait(home, os.Args[3]) })
		case "clear up":
			serve(home, func() error { return clearUp(home, os.Args[3]) })
		case "change objects":
			serve(home, func() error {
				moment, err := strconv.Atoi(os.Args[3])
				if err != nil {
					return err
				}
				return changeObjects(home, moment)
			})
		}
	}
	os.Exit(m.Run())
}

// serve is a server's life.
func serve(home string, live func() error) {
	testenv.Moments(home).Heed("the server")
	if err := live(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// answersFile has, in a story's directory, what was answered, one a line.
const answersFile = "answers"

func note(home, line string) {
	if err := testenv.AppendLine(filepath.Join(home, answersFile), line); err != nil {
		panic(err)
	}
}

// The calculations of the story: each leaves a b in a file of its own when it
// begins, and an e when it has come to its end.
const (
	whole   = "whole"   // comes to its end
	stopped = "stopped" // goes on until it is stopped
	cut     = "cut"     // goes on until its session ends
)

const wholeOutput = "first\nsecond\n"

func code(home, name string) string {
	mark := fmt.Sprintf(`import os, time
def mark(sign):
    file = os.open(%q, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, sign)
    os.close(file)
mark(b"b")
`, filepath.Join(home, name))
	if name == whole {
		return mark + "print('first', flush=True)\nprint('second')\nmark(b'e')\n'a value'"
	}
	return mark + "print('first', flush=True)\nwhile True: time.sleep(.01)"
}

// server is what hearth serve has behind its doors.
type server struct {
	home    string
	store   *sqlite.Store
	objects *objects.Store
	*sessions.Service
}

// roomForOne lets one session run at a time, and another wait.
var roomForOne = hearth.Quotas{
	Account:    hearth.Quota{Sessions: 1},
	WorkGroups: map[string]hearth.WorkGroupQuota{hearth.OtherWorkGroups: {Queue: 1}},
}

// driversIn are light drivers, whose shim is this program. The race detector
// would have it end a second late.
func driversIn(home, python string) (*driver.Drivers, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return driver.New(driver.Config{
		Dir: filepath.Join(home, "drivers"), Shim: []string{"env", "GORACE=atexit_sleep_ms=0", self, "shim"},
		Heartbeat: time.Hour, // when one is due, is no part of the story
		Prepare: func(_ context.Context, _ hearth.Launch, bundle string) (shim.Process, *shim.Process, error) {
			return shim.Process{
				Argv: []string{python, filepath.Join(bundle, shim.KernelFile)},
				Env:  []string{"HOME=" + bundle, "PATH=/usr/bin:/bin"},
			}, nil, nil
		},
	}), nil
}

// open starts a server with some of its settings.
func open(ctx context.Context, home, python string, settings sessions.Config) (*server, error) {
	s := &server{home: home}
	keys, err := access.Open(home)
	if err != nil {
		return nil, err
	}
	note(home, "key "+keys.Root().AccessKeyID)
	if s.store, err = sqlite.Open(filepath.Join(home, "hearth.db")); err != nil {
		return nil, err
	}
	if s.objects, err = objects.Open(filepath.Join(home, "objects")); err != nil {
		return nil, err
	}
	if settings.Drivers, err = driversIn(home, python); err != nil {
		return nil, err
	}
	settings.Store, settings.Objects = recent.New(s.store), s.objects
	s.Service = sessions.New(settings)
	if err := s.objects.CreateBucket(ctx, "hearth"); err != nil && hearth.KindOf(err) != hearth.KindExists {
		return nil, err
	}
	engine := hearth.EngineVersion{Selected: hearth.EnginePySpark3, Effective: hearth.EnginePySpark3}
	if err := s.EnsureWorkGroup(ctx, hearth.WorkGroup{
		Name: hearth.WorkGroupPrimary, Enabled: true, Engine: engine,
		WorkGroupSettings: hearth.WorkGroupSettings{OutputLocation: "s3://hearth/", Encryption: &hearth.Encryption{Option: hearth.SSES3}},
	}); err != nil {
		return nil, err
	}
	if err := s.SyncLeft(ctx); err != nil {
		return nil, err
	}
	return s, s.Resume(ctx)
}

func (s *server) leave() error {
	s.Close()
	return errors.Join(s.store.Close(), s.objects.Close())
}

// tell tells the whole story, also when it was told before up to any moment:
// requests are repeated under their tokens, and nothing else is remembered.
func tell(home, python string) error {
	ctx := context.Background()
	settings := sessions.Config{Quotas: roomForOne}
	s, err := open(ctx, home, python, settings)
	if err != nil {
		return err
	}
	one, err := s.start(ctx, "one")
	if err != nil {
		return err
	}
	two, err := s.start(ctx, "two") // which waits for its turn
	if err != nil {
		return err
	}
	if err := s.settled(ctx, one); err != nil {
		return err
	}
	if id := s.submit(ctx, one, whole); id != "" {
		if err := s.over(ctx, id); err != nil {
			return err
		}
	}
	if id := s.submit(ctx, one, stopped); id != "" {
		if err := s.begun(ctx, id); err != nil {
			return err
		}
		if err := s.leave(); err != nil { // and come back, without a crash
			return err
		}
		if s, err = open(ctx, home, python, settings); err != nil {
			return err
		}
		if _, err := s.Cancel(ctx, id); err != nil {
			return err
		}
		note(home, "cancel "+id)
		if err := s.over(ctx, id); err != nil {
			return err
		}
	}
	if id := s.submit(ctx, one, cut); id != "" {
		if err := s.begun(ctx, id); err != nil {
			return err
		}
	}
	for _, id := range []string{one, two} {
		if err := s.settled(ctx, id); err != nil {
			return err
		}
		if err := s.end(ctx, id); err != nil {
			return err
		}
	}
	return s.leave()
}

func (s *server) start(ctx context.Context, name string) (string, error) {
	session, err := s.Start(ctx, "KEY", hearth.SessionRequest{WorkGroup: hearth.WorkGroupPrimary, Token: name})
	if err == nil {
		note(s.home, "session "+name+" "+session.ID)
	}
	return session.ID, err
}

// submit gives "" when the session has failed.
func (s *server) submit(ctx context.Context, sessionID, name string) string {
	c, err := s.Submit(ctx, "KEY", hearth.CalculationRequest{SessionID: sessionID, Code: code(s.home, name), Token: name})
	if err != nil {
		note(s.home, fmt.Sprintf("refused %s: %v", name, err))
		return ""
	}
	note(s.home, "calculation "+name+" "+c.ID)
	return c.ID
}

func (s *server) end(ctx context.Context, id string) error {
	if _, err := s.Terminate(ctx, id); err != nil {
		return err
	}
	note(s.home, "end "+id)
	for {
		session, err := s.Session(ctx, id)
		if err != nil || session.State.Ended() {
			return err
		}
		if _, err := s.AwaitSession(ctx, id, session.State); err != nil {
			return err
		}
	}
}

// settled waits until a session can be used or has code to run, or has ended.
func (s *server) settled(ctx context.Context, id string) error {
	for {
		session, err := s.Session(ctx, id)
		if err != nil || session.State != hearth.SessionCreating && session.State != hearth.SessionCreated {
			return err
		}
		if _, err := s.AwaitSession(ctx, id, session.State); err != nil {
			return err
		}
	}
}

// begun waits until a calculation runs, or has.
func (s *server) begun(ctx context.Context, id string) error {
	for {
		c, err := s.Calculation(ctx, id)
		if err != nil || c.State != hearth.CalculationCreating && c.State != hearth.CalculationQueued {
			return err
		}
		if _, err := s.AwaitCalculation(ctx, id, c.State); err != nil {
			return err
		}
	}
}

func (s *server) over(ctx context.Context, id string) error {
	for {
		c, err := s.Calculation(ctx, id)
		if err != nil || c.State.Ended() {
			return err
		}
		if _, err := s.AwaitCalculation(ctx, id, c.State); err != nil {
			return err
		}
	}
}
