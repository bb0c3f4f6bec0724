package history

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os/exec"
	"runtime"
	"strings"
	"time"

	"hearth"
)

// process is a history server of one session.
type process struct {
	session string
	command *exec.Cmd
	secret  string
	log     *slog.Logger

	idle   *time.Timer
	looked time.Time

	serving chan struct{} // closed when it serves
	address string        // set by then
	ended   chan struct{} // closed when it has ended
	failure error         // set by then: why it shows nothing
	enough  chan string   // why it is to end
}

// stop has the process end. The first reason counts.
func (p *process) stop(why string) {
	select {
	case p.enough <- why:
	default:
	}
}

// run is the life of the process. What comes of it is told by its channels.
func (p *process) run(patience time.Duration) {
	// The system ends the process when the thread that started it is no more: so
	// the thread stays with it to the end.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.ended)
	begun := time.Now()
	said, err := p.start()
	if err != nil {
		p.failure = p.unavailable("could not be started: " + err.Error())
		return
	}
	first := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(said).ReadString('\n') // what is no line is no address
		first <- strings.TrimSpace(line)
		_, _ = io.Copy(io.Discard, said) // it has no more to say; the end of this is the process's
		close(first)
	}()
	late := time.NewTimer(patience)
	defer late.Stop()
	why := ""
	select {
	case p.address = <-first:
	case why = <-p.enough:
	case <-late.C:
		why = fmt.Sprintf("it did not serve after %v", patience)
	}
	if p.address != "" {
		p.log.Info("history server started", "session", p.session, "pid", p.command.Process.Pid, "took", time.Since(begun))
		close(p.serving)
		select {
		case <-first:
		case why = <-p.enough:
		}
	}
	_ = p.command.Process.Kill() // it keeps nothing; that it is dead is no error
	ended := p.command.Wait()
	if why == "" {
		why = "it ended by itself"
		p.log.Warn("history server ended", "session", p.session, "why", ended, "said", p.last())
	} else {
		p.log.Info("history server ended", "session", p.session, "why", why)
	}
	p.failure = p.unavailable("shows nothing: " + why + p.last())
}

// start gives the process what it needs. Its standard input stays open as long as
// the server lives, and no longer.
func (p *process) start() (said io.Reader, err error) {
	input, inputErr := p.command.StdinPipe()
	output, outputErr := p.command.StdoutPipe()
	if err := errors.Join(inputErr, outputErr); err != nil {
		return nil, err
	}
	p.command.Stderr = new(tail)
	p.command.SysProcAttr = attributes()
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	_, _ = io.WriteString(input, p.secret+"\n") // a process that does not read it is dead, which is told
	return output, nil
}

func (p *process) unavailable(what string) error {
	return hearth.Errorf(hearth.KindUnavailable, "Spark's history server for session %s %s. Look again to have it started anew.", p.session, what)
}

// last is the last line that the process complained with.
func (p *process) last() string {
	text := strings.TrimSpace(string(p.command.Stderr.(*tail).kept))
	if text == "" {
		return ""
	}
	return " (" + text[strings.LastIndexByte(text, '\n')+1:] + ")"
}

// tail keeps the end of what is written to it.
type tail struct{ kept []byte }

const maxTail = 4 << 10

func (t *tail) Write(text []byte) (int, error) {
	t.kept = append(t.kept, text...)
	if len(t.kept) > maxTail {
		t.kept = bytes.Clone(t.kept[len(t.kept)-maxTail:])
	}
	return len(text), nil
}
