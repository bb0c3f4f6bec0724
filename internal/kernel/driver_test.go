package kernel_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"hearth/internal/kernel"
	"hearth/internal/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// driver is what a shim makes of the kernel, in small.
type driver struct {
	t       testing.TB
	bundle  string // where the program is
	cmd     *exec.Cmd
	control *net.UnixConn
	frames  *bufio.Reader
	stdout  *pipe
	stderr  *pipe
	phases  []string
	ready   kernel.Message
	count   int

	java *os.Process // of a Spark driver
}

// startDriver starts a kernel and awaits it. The environment is added to a bare
// one; the processes share the two pipes.
func startDriver(t testing.TB, stdout, stderr *pipe, env ...string) *driver {
	t.Helper()
	dir := t.TempDir()
	if err := kernel.Write(dir, session); err != nil {
		t.Fatal(err)
	}
	syscall.ForkLock.RLock() // no other child may inherit them
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	for _, end := range pair {
		syscall.CloseOnExec(end)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "control"), os.NewFile(uintptr(pair[1]), "control")
	connection, err := net.FileConn(ours)
	ours.Close()
	if err != nil {
		t.Fatal(err)
	}
	work := filepath.Join(dir, "work")
	if err := os.Mkdir(work, 0o700); err != nil {
		t.Fatal(err)
	}
	d := &driver{t: t, bundle: dir, control: connection.(*net.UnixConn), frames: bufio.NewReader(connection), stdout: stdout, stderr: stderr}
	d.cmd = exec.Command(testenv.Python(t), filepath.Join(dir, kernel.ProgramFile))
	d.cmd.Dir = work
	d.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Join(dir, "home")}, env...)
	d.cmd.Stdout, d.cmd.Stderr = stdout.in, stderr.in
	d.cmd.ExtraFiles = []*os.File{theirs}
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = d.cmd.Start()
	theirs.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.control.Close() // which ends the kernel
		_ = d.cmd.Wait()  // unless a test has waited
	})
	for d.ready.Type == "" {
		switch m := d.receive(); m.Type {
		case kernel.TypePhase:
			d.phases = append(d.phases, m.Name)
		case kernel.TypeReady:
			d.ready = m
		default:
			t.Fatalf("the kernel did not start: %+v\n%s", m, d.stderr.take())
		}
	}
	return d
}

// lightDriver starts a kernel without Spark.
func lightDriver(t testing.TB) *driver {
	t.Helper()
	return startDriver(t, newPipe(t), newPipe(t))
}

func (d *driver) send(c kernel.Command) {
	d.t.Helper()
	if err := kernel.WriteFrame(d.control, c); err != nil {
		d.t.Fatal(err)
	}
}

// receive gives the next message; its type is "" when the kernel is gone.
func (d *driver) receive() kernel.Message {
	d.t.Helper()
	frame, err := kernel.ReadFrame(d.frames)
	if err == io.EOF {
		return kernel.Message{}
	}
	if err != nil {
		d.t.Fatal(err)
	}
	var m kernel.Message
	if err := json.Unmarshal(frame, &m); err != nil {
		d.t.Fatal(err)
	}
	return m
}

// ran is all that came of a calculation.
type ran struct {
	kernel.Message // finished
	started        bool
	shown          []shown
	stdout, stderr string
}

type shown struct {
	kind string
	data map[string]any
}

// submit sends code and gives its calculation's id.
func (d *driver) submit(code string) string {
	d.t.Helper()
	d.count++
	id := fmt.Sprintf("calculation-%d", d.count)
	d.send(kernel.Execute(id, code))
	return id
}

// finish awaits the end of a calculation.
func (d *driver) finish(id string) ran {
	d.t.Helper()
	var r ran
	for r.Type == "" {
		m := d.receive()
		if m.Type == "" {
			d.t.Fatalf("the kernel is gone: %s", d.stderr.take())
		}
		if m.Calculation != id {
			d.t.Fatalf("%s for calculation %q, want %q", m.Type, m.Calculation, id)
		}
		switch m.Type {
		case kernel.TypeStarted:
			r.started = true
		case kernel.TypeDisplayData, kernel.TypeExecuteResult:
			data := make(map[string]any)
			if err := json.Unmarshal(m.Content.Data, &data); err != nil {
				d.t.Fatal(err)
			}
			r.shown = append(r.shown, shown{m.Type, data})
		case kernel.TypeFinished:
			r.Message = m
		default:
			d.t.Fatalf("unexpected message %+v", m)
		}
	}
	r.stdout, r.stderr = d.stdout.take(), d.stderr.take()
	return r
}

func (d *driver) run(code string) ran {
	d.t.Helper()
	return d.finish(d.submit(code))
}

// cancel runs code until it has printed a line, then interrupts it and awaits
// its end.
func (d *driver) cancel(code string) ran {
	d.t.Helper()
	id := d.submit(code)
	d.stdout.await("\n")
	d.send(kernel.Interrupt(id))
	return d.finish(id)
}

// pipe keeps what is written to it.
type pipe struct {
	in      *os.File
	changed *sync.Cond
	content []byte
}

func newPipe(t testing.TB) *pipe {
	t.Helper()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &pipe{in: in, changed: sync.NewCond(new(sync.Mutex))}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, 64<<10)
		for {
			n, err := out.Read(buffer)
			p.changed.L.Lock()
			p.content = append(p.content, buffer[:n]...)
			p.changed.L.Unlock()
			p.changed.Broadcast()
			if err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		in.Close()
		out.Close()
		<-done
	})
	return p
}

// await waits until text was written and leaves it there.
func (p *pipe) await(text string) {
	p.changed.L.Lock()
	defer p.changed.L.Unlock()
	for seen := 0; !bytes.Contains(p.content[max(0, seen-len(text)):], []byte(text)); {
		seen = len(p.content)
		p.changed.Wait()
	}
}

// take gives everything that was written before the call and not taken yet. A
// mark that the test writes itself shows when that has come.
func (p *pipe) take() string {
	const mark = "\x00end of what was written\x00"
	_, _ = io.WriteString(p.in, mark)
	p.await(mark)
	p.changed.L.Lock()
	defer p.changed.L.Unlock()
	before, after, _ := strings.Cut(string(p.content), mark)
	p.content = []byte(after)
	return before
}
