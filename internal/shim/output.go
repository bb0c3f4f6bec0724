package shim

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"hearth/internal/faultpoint"
	"hearth/internal/kernel"
)

// pump moves what the driver's processes write to a pipe into the file of the
// calculation that runs, and into the log when none does.
type pump struct {
	pipe *os.File
	raw  syscall.RawConn
	log  *os.File

	mu   sync.Mutex
	to   *os.File // nil for the log
	size func(written int64)
	sum  int64
	err  error // what the file refused; nothing is kept any more then
	buf  [64 << 10]byte
}

func newPump(pipe, log *os.File) (*pump, error) {
	raw, err := pipe.SyscallConn()
	if err != nil {
		return nil, err
	}
	return &pump{pipe: pipe, raw: raw, log: log}, nil
}

// run moves until the pipe ends, and calls broke once when a file refuses.
func (p *pump) run(broke func(error)) {
	told := false
	_ = p.raw.Read(func(fd uintptr) bool { // an error here is the pipe's being closed
		for {
			p.mu.Lock()
			n, err := p.move(fd, len(p.buf))
			failed := p.err
			p.mu.Unlock()
			if failed != nil && !told {
				told = true
				broke(failed)
			}
			switch {
			case errors.Is(err, syscall.EAGAIN):
				return false
			case errors.Is(err, syscall.EINTR):
			case err != nil || n == 0:
				return true
			}
		}
	})
}

// move makes one read and its writes. It must not wait, so the pipe does not
// block.
func (p *pump) move(fd uintptr, most int) (int, error) {
	n, err := syscall.Read(int(fd), p.buf[:min(most, len(p.buf))])
	if n <= 0 || err != nil || p.err != nil {
		return max(n, 0), err
	}
	if p.to == nil {
		_, p.err = p.log.Write(p.buf[:n])
		return n, nil
	}
	_, p.err = p.to.Write(p.buf[:n])
	p.sum += int64(n)
	p.size(p.sum)
	return n, nil
}

// turn settles, and has what comes from now on go to another file.
func (p *pump) turn(to *os.File, size func(int64)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	err := p.settleLocked()
	p.to, p.size, p.sum = to, size, 0
	return err
}

// settle takes what is in the pipe now where it belongs.
func (p *pump) settle() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.settleLocked()
}

// settleLocked takes no more than what is there now, because a process that was
// left behind may go on writing for ever.
func (p *pump) settleLocked() error {
	var failed error
	closed := p.raw.Control(func(fd uintptr) {
		left, err := waiting(int(fd))
		if err != nil {
			failed = err
			return
		}
		for left > 0 {
			n, err := p.move(fd, left)
			if n == 0 && !errors.Is(err, syscall.EINTR) {
				return // run took it, or the pipe has ended
			}
			left -= n
		}
	})
	return errors.Join(p.err, failed, closed)
}

// output keeps what calculations write and display.
type output struct {
	bundle         string
	stdout, stderr *pump
	board          *board

	last    string     // the directory of the calculation that was opened last
	files   []*os.File // of the calculation that runs
	outputs *os.File   // what it displayed
}

// open makes a calculation's files and has output go there. The board shows the
// calculation before the files are there: whoever finds them and then looks at
// the board is to see that there may be more.
func (o *output) open(calculation, code string) error {
	o.board.set(func(s *standing) { s.calculation, s.stdout, s.stderr = calculation, 0, 0 })
	dir, err := CalculationDir(o.bundle, calculation)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, CodeFile), []byte(code), 0o600)
	}
	if err != nil {
		return notKept(calculation, err)
	}
	o.last = dir
	for _, name := range []string{StdoutFile, StderrFile, OutputsFile} {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return notKept(calculation, err)
		}
		o.files = append(o.files, f)
	}
	o.outputs = o.files[2]
	err = o.stdout.turn(o.files[0], func(n int64) { o.board.set(func(s *standing) { s.stdout = n }) })
	return errors.Join(err, o.stderr.turn(o.files[1], func(n int64) { o.board.set(func(s *standing) { s.stderr = n }) }))
}

// keep appends what the code displayed.
func (o *output) keep(m kernel.Message) error {
	if m.Content == nil {
		return nil
	}
	shown := Output{OutputType: m.Type, Data: m.Content.Data, Metadata: m.Content.Metadata}
	if m.Type == kernel.TypeExecuteResult {
		shown.ExecutionCount = json.RawMessage("null")
	}
	line, err := json.Marshal(shown)
	if err == nil {
		_, err = o.outputs.Write(append(line, '\n'))
	}
	return notKept(m.Calculation, err)
}

// complete closes the files of the calculation that has finished and writes its
// result.
func (o *output) complete(m kernel.Message) error {
	err := o.close()
	dir, wrong := CalculationDir(o.bundle, m.Calculation)
	if err = errors.Join(err, wrong); err == nil {
		err = writeResult(dir, m)
	}
	if err == nil {
		o.board.set(func(s *standing) { s.calculation = "" })
	}
	return notKept(m.Calculation, err)
}

// close takes the last output to the calculation's files, if there is one.
func (o *output) close() error {
	err := errors.Join(o.stdout.turn(nil, nil), o.stderr.turn(nil, nil))
	for _, f := range o.files {
		err = errors.Join(err, f.Close())
	}
	o.files, o.outputs = nil, nil
	return err
}

// sync puts on disk what the last calculation left: of those before it, a server
// has all.
func (o *output) sync() error {
	if o.last == "" {
		return nil
	}
	err := SyncDir(filepath.Dir(o.last))
	for _, name := range []string{StdoutFile, StderrFile, ResultFile} {
		if failed := syncFile(o.last, name); !errors.Is(failed, fs.ErrNotExist) {
			err = errors.Join(err, failed)
		}
	}
	return err
}

func notKept(calculation string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("the output of calculation %s could not be kept: %w", calculation, plain(err))
}

// writeResult makes the result document out of what was displayed, which may be
// larger than memory: it is copied line by line.
func writeResult(dir string, m kernel.Message) error {
	head, err := json.Marshal(Result{Status: m.Status, ExitStatus: m.ExitStatus, Reason: m.Reason, Error: m.Error, Outputs: []json.RawMessage{}})
	if err != nil {
		return err
	}
	const end = "]}"
	head = head[:len(head)-len(end)] // outputs are its last field
	displayed, err := Open(filepath.Join(dir, OutputsFile))
	if err != nil {
		return err
	}
	defer displayed.Close()
	faultpoint.At("result", "to be written")
	path := filepath.Join(dir, ResultFile)
	f, err := create(path + ".new")
	if err != nil {
		return err
	}
	to := bufio.NewWriter(f) // keeps its first error for Flush
	_, _ = to.Write(head)
	err = copyLines(to, displayed)
	_, _ = to.WriteString(end + "\n")
	if err := errors.Join(err, to.Flush(), f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// copyLines puts commas between lines. A line without an end is none.
func copyLines(to *bufio.Writer, from io.Reader) error {
	lines := bufio.NewReader(from)
	for first := true; ; first = false {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !first {
			_ = to.WriteByte(',')
		}
		if _, err := to.Write(line[:len(line)-1]); err != nil {
			return err
		}
	}
}
