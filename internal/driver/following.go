package driver

import (
	"fmt"
	"time"

	"hearth"
	"hearth/internal/shim"
)

// following is how far Follow is, and whether it hears of the driver.
type following struct {
	offset  int64
	handle  func(hearth.DriverEvent) error
	refused error // what handle returned

	unresponsiveAfter time.Duration
	asked             time.Time     // since when an answer is due that did not come
	silence           time.Duration // of the shim
	told              attention     // the last that was told of the shim
	processSilent     bool          // the last that the shim told of its processes is the silence of one
	operating         bool          // the last that it told of Spark Connect is that operations run
}

// attention is what handle knows of the shim.
type attention int

const (
	untold    attention = iota // nothing, or what an earlier server told
	answering                  // that it answers
	silent                     // that it does not
)

// following begins at an offset. Before it, an earlier server may have told of
// the shim's silence, which is not in the journal.
func (d *driver) following(offset int64, handle func(hearth.DriverEvent) error) (*following, error) {
	f := &following{offset: offset, handle: handle, unresponsiveAfter: d.config.UnresponsiveAfter}
	f.asked = time.Now()
	if offset == 0 {
		f.told = answering
		return f, nil
	}
	_, err := d.readJournal(0, func(e shim.Event, next int64) error {
		if next <= offset {
			f.note(e)
		}
		return nil
	})
	return f, err
}

func (f *following) note(e shim.Event) {
	switch e.Type {
	case shim.EventUnresponsive:
		f.processSilent = true
	case shim.EventResponsive:
		f.processSilent = false
	case shim.EventOperating:
		f.operating = true
	case shim.EventRested:
		f.operating = false
	}
}

// take passes an event on, if it is one that the application knows, and
// reports whether it was the last.
func (f *following) take(e shim.Event, next int64) (last bool, err error) {
	f.offset = next
	f.note(e)
	event, known := eventOf(e, next)
	if !known {
		return false, nil
	}
	return event.Type == hearth.DriverExited, f.pass(event)
}

func (f *following) pass(e hearth.DriverEvent) error {
	f.refused = f.handle(e)
	return f.refused
}

// longestBeat is the most that one missing answer counts for: after the whole
// machine was stopped for a while, the shim is not to blame.
const longestBeat = 10 * time.Second

// missed counts that the shim has not answered since it was asked, or since
// that was counted last.
func (f *following) missed() error {
	f.silence += min(time.Since(f.asked), longestBeat)
	f.asked = time.Now()
	if f.told == silent || f.silence < f.unresponsiveAfter {
		return nil
	}
	f.told = silent
	return f.pass(hearth.DriverEvent{
		Type: hearth.DriverUnresponsive, At: f.asked, Offset: f.offset,
		Reason: fmt.Sprintf("The process that supervises the driver has not answered for %v", f.silence.Round(time.Second)),
	})
}

// heard notes that the shim answers.
func (f *following) heard() error {
	f.asked, f.silence = time.Now(), 0
	if f.told == answering {
		return nil
	}
	f.told = answering
	if f.processSilent {
		return nil // nor can the session be used now
	}
	return f.pass(hearth.DriverEvent{Type: hearth.DriverResponsive, At: f.asked, Offset: f.offset, Operating: f.operating})
}
