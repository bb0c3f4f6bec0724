package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"hearth"
	"hearth/internal/access"
	"hearth/internal/athena"
	"hearth/internal/driver"
	"hearth/internal/rest"
	"hearth/internal/sigv4"
)

// server is a hearth serve with a data directory of its own.
type server struct {
	binary  string
	address string // http://host:port, the same after a restart
	data    string
	log     string
	keys    sigv4.Credentials
	client  *http.Client
	warm    int // drivers that are started ahead

	environment []string
	process     *process
}

const region = "us-east-1"

// serve starts a server with lines of its configuration file, and waits until
// it is ready.
func (b *bench) serve(ctx context.Context, settings ...string) (*server, error) {
	return b.serveWith(ctx, 0, settings...)
}

// serveWarm is serve with one driver that is started ahead, as servers have one
// where nothing else is said.
func (b *bench) serveWarm(ctx context.Context) (*server, error) { return b.serveWith(ctx, 1) }

// serveWith is serve with so many drivers that are started ahead.
func (b *bench) serveWith(ctx context.Context, warm int, settings ...string) (*server, error) {
	s, err := b.prepare(settings...)
	if err != nil {
		return nil, err
	}
	s.warm = warm
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// serveSession is serve with a session that is IDLE.
func (b *bench) serveSession(ctx context.Context, settings ...string) (*server, string, error) {
	s, err := b.serve(ctx, settings...)
	if err != nil {
		return nil, "", err
	}
	session, err := s.session(ctx, nil)
	if err != nil {
		return nil, "", errors.Join(err, s.close())
	}
	return s, session, nil
}

// prepare makes the directory of a server that is to be started.
func (b *bench) prepare(settings ...string) (*server, error) {
	data, err := os.MkdirTemp(b.scratch, b.figure+"-")
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	text := fmt.Sprintf("listen = %q\nconnect_listen = \"127.0.0.1:0\"\n%s\n", address, strings.Join(settings, "\n"))
	if err := os.WriteFile(filepath.Join(data, "hearth.toml"), []byte(text), 0o600); err != nil {
		return nil, err
	}
	keys, err := access.Open(data)
	if err != nil {
		return nil, err
	}
	root := keys.Root()
	return &server{
		binary: b.Binary, address: "http://" + address, data: data, log: filepath.Join(data, "serve.log"),
		keys:        sigv4.Credentials{AccessKeyID: root.AccessKeyID, SecretAccessKey: root.SecretAccessKey},
		client:      &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 512}},
		environment: append(environment(), "HEARTH_HOME="+data, "HEARTH_ENGINES="+b.Engines.Dir),
	}, nil
}

// environment is this process's without settings of servers and of AWS clients.
func environment() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "AWS_") && !strings.HasPrefix(v, "HEARTH_") {
			env = append(env, v)
		}
	}
	return env
}

// start starts the program, also after kill.
func (s *server) start(ctx context.Context) error {
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	command := exec.Command(s.binary, "serve", "--end-sessions-on-exit", "--warm-drivers", strconv.Itoa(s.warm))
	command.Env, command.Stdout, command.Stderr = s.environment, log, log
	if s.process, err = begin(command); err != nil {
		return err
	}
	if err := s.process.await(ctx, s.address+"/ok"); err != nil {
		text, _ := os.ReadFile(s.log) // what there is of it
		return fmt.Errorf("hearth serve did not get ready: %w\n%s", err, text[max(0, len(text)-2000):])
	}
	return nil
}

// close ends the server, and the drivers that it has left where it was killed.
func (s *server) close() error {
	s.client.CloseIdleConnections()
	err := s.process.end()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	drivers := s.drivers()
	known, listing := drivers.Known(ctx)
	err = errors.Join(err, listing)
	for _, id := range known {
		if found, adoption, lost := drivers.Recover(ctx, id); lost != nil {
			err = errors.Join(err, lost)
		} else if adoption == hearth.Alive || adoption == hearth.Silent {
			err = errors.Join(err, found.End(ctx), found.Follow(ctx, 0, func(hearth.DriverEvent) error { return nil }))
		}
	}
	return errors.Join(err, os.RemoveAll(s.data))
}

// drivers are the server's, as it opens them itself.
func (s *server) drivers() *driver.Drivers {
	return driver.New(driver.Config{Dir: filepath.Join(s.data, "drivers")})
}

// request makes a signed request of the Athena API. The answer is held while
// what is asked for is in the state; "" does not hold it.
func (s *server) request(ctx context.Context, operation, while string, input any) (*http.Request, []byte, error) {
	body, err := json.Marshal(input)
	if err != nil {
		return nil, nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.address+"/", bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "AmazonAthena."+operation)
	if while != "" {
		r.Header.Set(athena.HoldHeader, while)
	}
	sigv4.Sign(r, body, s.keys, region, "athena", time.Now())
	return r, body, nil
}

// show tells of a session what the Athena API has no members for.
func (s *server) show(ctx context.Context, session string) (rest.Session, error) {
	var shown rest.Session
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.address+"/v1/sessions/"+session, nil)
	if err != nil {
		return shown, err
	}
	sigv4.Sign(r, nil, s.keys, region, "athena", time.Now())
	return shown, s.do(r, &shown)
}

// metrics gives what the server tells Prometheus, without what has labels.
func (s *server) metrics(ctx context.Context) (map[string]float64, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.address+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	answer, err := s.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("/metrics: %s", answer.Status)
	}
	return readMetrics(answer.Body)
}

func readMetrics(in io.Reader) (map[string]float64, error) {
	told := make(map[string]float64)
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		name, text, _ := strings.Cut(lines.Text(), " ")
		if name == "#" || strings.Contains(name, "{") {
			continue
		}
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("/metrics: %w", err)
		}
		told[name] = value
	}
	return told, lines.Err()
}

// refused is an answer of the API that is no success.
type refused struct {
	status int
	text   string
}

func (r *refused) Error() string { return fmt.Sprintf("%d %s", r.status, r.text) }

func (s *server) call(ctx context.Context, operation, while string, input, output any) error {
	r, _, err := s.request(ctx, operation, while, input)
	if err != nil {
		return err
	}
	if err := s.do(r, output); err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	return nil
}

func (s *server) do(r *http.Request, output any) error {
	answer, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return &refused{answer.StatusCode, string(text)}
	}
	if output == nil {
		return nil
	}
	return json.Unmarshal(text, output)
}

// status is of a session or a calculation.
type status struct {
	Status struct {
		State             string
		StateChangeReason string
	}
}

// session starts a session with properties of Spark, and waits until it is IDLE.
func (s *server) session(ctx context.Context, properties map[string]string) (string, error) {
	id, state, err := s.startSession(ctx, properties)
	if err == nil {
		err = s.sessionIs(ctx, id, state, hearth.SessionIdle)
	}
	return id, err
}

func (s *server) startSession(ctx context.Context, properties map[string]string) (id, state string, err error) {
	var started struct{ SessionId, State string }
	err = s.call(ctx, "StartSession", "", map[string]any{
		"WorkGroup":           hearth.WorkGroupPrimary,
		"EngineConfiguration": map[string]any{"MaxConcurrentDpus": 2, "SparkProperties": properties},
	}, &started)
	return started.SessionId, started.State, err
}

// sessionIs waits, from a state on that it was in, until the session is in one
// that is wanted.
func (s *server) sessionIs(ctx context.Context, id, state string, wanted hearth.SessionState) error {
	return s.await(ctx, "GetSessionStatus", map[string]any{"SessionId": id}, state, string(wanted))
}

// calculate submits code and waits until it is COMPLETED.
func (s *server) calculate(ctx context.Context, session, code string) error {
	id, state, err := s.submit(ctx, session, code)
	if err != nil {
		return err
	}
	return s.calculationIs(ctx, id, state, hearth.CalculationCompleted)
}

func (s *server) submit(ctx context.Context, session, code string) (id, state string, err error) {
	var started struct{ CalculationExecutionId, State string }
	err = s.call(ctx, "StartCalculationExecution", "", map[string]any{"SessionId": session, "CodeBlock": code}, &started)
	return started.CalculationExecutionId, started.State, err
}

func (s *server) calculationIs(ctx context.Context, id, state string, wanted hearth.CalculationState) error {
	return s.await(ctx, "GetCalculationExecutionStatus", map[string]any{"CalculationExecutionId": id}, state, string(wanted))
}

func (s *server) await(ctx context.Context, operation string, input map[string]any, state, want string) error {
	for state != want {
		var now status
		if err := s.call(ctx, operation, state, input, &now); err != nil {
			return err
		}
		state = now.Status.State
		if state != want && (hearth.SessionState(state).Ended() || hearth.CalculationState(state).Ended()) {
			return fmt.Errorf("%v is %s: %s", input, state, now.Status.StateChangeReason)
		}
	}
	return nil
}

func (s *server) terminate(ctx context.Context, session string) error {
	if err := s.call(ctx, "TerminateSession", "", map[string]any{"SessionId": session}, nil); err != nil {
		return err
	}
	return s.sessionIs(ctx, session, string(hearth.SessionTerminating), hearth.SessionTerminated)
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// process is a program that the run has started.
type process struct {
	*exec.Cmd
	gone chan struct{} // closed when it has ended
}

// begin starts a program in a process group of its own: what interrupts the run
// from a terminal is not for it, it is ended in its turn. On Linux the program is
// asked to end, too, when the run is killed.
func begin(command *exec.Cmd) (*process, error) {
	command.SysProcAttr = attributes()
	p := &process{command, make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // whose end is what the program takes for the run's
		err := command.Start()
		started <- err
		if err == nil {
			_ = command.Wait() // its status says nothing: it was asked to end
			close(p.gone)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

// patience is how long a program may take to end.
const patience = time.Minute

// end asks the program to end, waits for it, and kills it where that does not
// help. A program that was never started has ended.
func (p *process) end() error {
	if p == nil {
		return nil
	}
	_ = p.Process.Signal(syscall.SIGTERM) // or it has ended
	select {
	case <-p.gone:
		return nil
	case <-time.After(patience):
		p.kill()
		return fmt.Errorf("%s did not end when it was asked to, and was killed", p.Path)
	}
}

func (p *process) kill() {
	_ = p.Process.Kill() // or it has ended
	<-p.gone
}

// await waits until the program answers at an address.
func (p *process) await(ctx context.Context, url string) error {
	return p.until(ctx, func() error {
		answer, err := http.Get(url)
		if err != nil {
			return err
		}
		answer.Body.Close()
		if answer.StatusCode >= http.StatusInternalServerError {
			return errors.New(answer.Status)
		}
		return nil
	})
}

// awaitPort waits until the program accepts connections.
func (p *process) awaitPort(ctx context.Context, address string) error {
	return p.until(ctx, func() error {
		connection, err := net.Dial("tcp", address)
		if err != nil {
			return err
		}
		return connection.Close()
	})
}

func (p *process) until(ctx context.Context, ready func() error) error {
	ctx, stop := context.WithTimeout(ctx, 10*time.Minute) // it may have to recover much
	defer stop()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-again.C:
		case <-p.gone:
			return errors.New("it ended: " + p.ProcessState.String())
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}
