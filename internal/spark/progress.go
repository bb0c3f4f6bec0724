package spark

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// Progress is told how an installation goes on. It is called from one goroutine
// at a time. A nil Progress is told nothing.
type Progress func(Report)

// Report is where an installation stands.
type Report struct {
	Step, Steps int    // the step that is done now, from 1, and how many there are; both 0 before the first
	Name        string // of the step
	Doing       string // what the step is doing, "" at its beginning: mostly the package that is loaded
	Done, Total int64  // bytes of that file; 0 when no file is loaded
	End         bool   // the installation is over, well or not
}

func (p Progress) tell(r Report) {
	if p != nil {
		p(r)
	}
}

// TerminalProgress shows an installation to a person: on a terminal as a bar with
// the step, the bytes and the time that is left, elsewhere as a line now and then.
func TerminalProgress(w io.Writer) Progress {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return (&terminalBar{w: w}).show
	}
	return (&progressLines{w: w, now: time.Now}).show
}

// terminalBar is one line that is written again and again. What has no bytes to
// count is only named there.
type terminalBar struct {
	w    io.Writer
	bar  *progressbar.ProgressBar // of the file that is loaded
	last Report
}

const clearLine = "\r\x1b[K"

func (t *terminalBar) show(r Report) {
	last := t.last
	t.last = r
	switch {
	case r.End:
		t.bar = nil
		fmt.Fprint(t.w, clearLine)
		return
	case r.Total == 0:
		t.bar = nil
		fmt.Fprint(t.w, clearLine, r.title(), " …")
		return
	case t.bar == nil || r.title() != last.title() || r.Total != last.Total:
		fmt.Fprint(t.w, clearLine)
		t.bar = progressbar.NewOptions64(r.Total,
			progressbar.OptionSetWriter(t.w),
			progressbar.OptionSetDescription(r.title()),
			progressbar.OptionShowBytes(true),
			progressbar.OptionShowCount(),
			progressbar.OptionSetPredictTime(true),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionSetWidth(12),
			progressbar.OptionUseANSICodes(true),
		)
	}
	_ = t.bar.Set64(r.Done) // a bar that cannot be drawn is no reason to stop
}

// title names the step and what it does.
func (r Report) title() string {
	title := r.Name
	if r.Steps > 0 {
		title = fmt.Sprintf("[%d/%d] %s", r.Step, r.Steps, r.Name)
	}
	if r.Doing != "" {
		title += ": " + r.Doing
	}
	return title
}

// progressLines writes a line for each thing that is begun, and during a long
// download one every few seconds.
type progressLines struct {
	w   io.Writer
	now func() time.Time

	mu    sync.Mutex
	title string
	begun time.Time // when the title was first shown
	shown time.Time
}

const lineInterval = 5 * time.Second

func (l *progressLines) show(r Report) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.End {
		return
	}
	now := l.now()
	if title := r.title(); title != l.title {
		l.title, l.begun, l.shown = title, now, now
		if r.Total > 0 {
			title += fmt.Sprintf(" (%s)", humanize.Bytes(uint64(r.Total)))
		}
		fmt.Fprintln(l.w, title)
		return
	}
	if r.Done == 0 || r.Done >= r.Total || now.Sub(l.shown) < lineInterval {
		return
	}
	l.shown = now
	left := time.Duration(float64(now.Sub(l.begun)) * float64(r.Total-r.Done) / float64(r.Done))
	fmt.Fprintf(l.w, "%s: %s of %s, about %s left\n", l.title, humanize.Bytes(uint64(r.Done)), humanize.Bytes(uint64(r.Total)), left.Round(time.Second))
}
