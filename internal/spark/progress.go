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
	Doing       string // what the step is doing, "" at its beginning: the file that is loaded, mostly
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

// terminalBar is one line that is drawn again and again.
type terminalBar struct {
	w    io.Writer
	bar  *progressbar.ProgressBar
	last Report
}

func (t *terminalBar) show(r Report) {
	if r.End {
		t.clear()
		return
	}
	if t.bar == nil || r.Step != t.last.Step || r.Doing != t.last.Doing || r.Total != t.last.Total {
		t.clear()
		t.bar = t.draw(r)
		t.bar.RenderBlank() //nolint:errcheck // a bar that cannot be drawn is no reason to stop
	}
	t.last = r
	t.bar.Set64(r.Done) //nolint:errcheck // as above
}

func (t *terminalBar) clear() {
	if t.bar != nil {
		t.bar.Exit()  //nolint:errcheck // as in show
		t.bar.Clear() //nolint:errcheck // as in show
		t.bar = nil
	}
}

func (t *terminalBar) draw(r Report) *progressbar.ProgressBar {
	total := r.Total
	if total == 0 {
		total = -1 // a spinner with the time that has passed
	}
	options := []progressbar.Option{
		progressbar.OptionSetWriter(t.w),
		progressbar.OptionSetDescription(r.title()),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionThrottle(100 * time.Millisecond),
		progressbar.OptionSetWidth(20),
		progressbar.OptionSpinnerType(14),
		progressbar.OptionUseANSICodes(true),
	}
	if r.Total > 0 {
		options = append(options, progressbar.OptionShowBytes(true), progressbar.OptionShowCount())
	}
	return progressbar.NewOptions64(total, options...)
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
