package sessions_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"hearth"
)

// drivers are drivers without processes: the test says what they do.
type drivers struct {
	mu       sync.Mutex
	byID     map[string]*driver
	removed  chan string
	logs     map[string]string          // by id, as far as they are written
	refusal  error                      // what Launch answers, when not nil
	adoption map[string]hearth.Adoption // what Recover answers; when absent Alive, if it was launched
	launched chan *driver
}

func newDrivers() *drivers {
	return &drivers{byID: map[string]*driver{}, logs: map[string]string{}, adoption: map[string]hearth.Adoption{}, launched: make(chan *driver, 100), removed: make(chan string, 100)}
}

func (d *drivers) Launch(_ context.Context, launch hearth.Launch) (hearth.Driver, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.refusal != nil {
		return nil, d.refusal
	}
	if _, ok := d.byID[launch.SessionID]; !ok {
		d.byID[launch.SessionID] = &driver{launch: launch, told: make(chan string, 100), changed: make(chan struct{}), files: map[string]string{}}
		d.launched <- d.byID[launch.SessionID]
	} else if of := d.byID[launch.SessionID]; of.launch.Warm != nil && launch.Warm == nil {
		of.told <- "claim " + launch.WorkGroup
	}
	return d.byID[launch.SessionID], nil
}

// refuse has all further launches fail.
func (d *drivers) refuse(why error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refusal = why
}

// leave leaves a driver of which a server knew nothing any more.
func (d *drivers) leave(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.byID[id] = &driver{launch: hearth.Launch{SessionID: id}, told: make(chan string, 100), changed: make(chan struct{}), files: map[string]string{}}
}

func (d *drivers) Recover(_ context.Context, id string) (hearth.Driver, hearth.Adoption, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	adoption, ok := d.adoption[id]
	if !ok {
		adoption = hearth.NeverLaunched
		if d.byID[id] != nil {
			adoption = hearth.Alive
		}
	}
	if adoption == hearth.NeverLaunched {
		return nil, adoption, nil
	}
	return d.byID[id], adoption, nil
}

// Log does not wait: a driver's log is whole here.
func (d *drivers) Log(_ context.Context, id string, offset int64, _ bool) (io.ReadCloser, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	text, ok := d.logs[id]
	if !ok {
		return nil, hearth.Errorf(hearth.KindNotFound, "no log of %s", id)
	}
	return io.NopCloser(strings.NewReader(text[min(offset, int64(len(text))):])), nil
}

func (d *drivers) logged(id, text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.logs[id] += text
}

// forget is the removal of what a driver left.
func (d *drivers) forget(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.logs, id)
}

func (d *drivers) Known(context.Context) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Collect(maps.Keys(d.byID)), nil
}

// Warm tells what the launch said.
func (d *drivers) Warm(_ context.Context, id string) (hearth.Warm, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if of := d.byID[id]; of != nil && of.launch.Warm != nil {
		return *of.launch.Warm, nil
	}
	return hearth.Warm{}, hearth.Errorf(hearth.KindNotFound, "no driver was launched ahead as %s", id)
}

func (d *drivers) Remove(_ context.Context, id string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if of := d.byID[id]; of != nil && of.launch.Warm != nil {
		delete(d.byID, id)
	}
	d.removed <- id
	return nil
}

// driver keeps what it was told, and a journal that the test writes.
type driver struct {
	launch hearth.Launch
	told   chan string // "execute ID", "cancel ID", "end", "connect"

	mu      sync.Mutex
	journal []hearth.DriverEvent
	changed chan struct{}
	files   map[string]string // "ID stdout" and so on

	endpoint hearth.Endpoint // of Connect; without an address it refuses
}

func (d *driver) Execute(_ context.Context, id, _ string) error {
	d.told <- "execute " + id
	return nil
}
func (d *driver) Cancel(_ context.Context, id string) error { d.told <- "cancel " + id; return nil }
func (d *driver) End(context.Context) error                 { d.told <- "end"; return nil }

// happens appends an event to the journal.
func (d *driver) happens(e hearth.DriverEvent) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e.At.IsZero() {
		e.At = time.Now()
	}
	e.Offset = int64(len(d.journal)) + 1
	d.journal = append(d.journal, e)
	close(d.changed)
	d.changed = make(chan struct{})
}

func (d *driver) writes(calculationID string, stream hearth.Stream, text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files[calculationID+" "+string(stream)] = text
}

func (d *driver) Follow(ctx context.Context, offset int64, handle func(hearth.DriverEvent) error) error {
	for {
		d.mu.Lock()
		changed := d.changed
		news := slices.Clone(d.journal[min(offset, int64(len(d.journal))):])
		d.mu.Unlock()
		for _, e := range news {
			if err := handle(e); err != nil {
				return err
			}
			offset = e.Offset
			if e.Type == hearth.DriverExited {
				return nil
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (d *driver) Output(_ context.Context, id string, stream hearth.Stream, offset int64) (io.ReadCloser, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	text, ok := d.files[id+" "+string(stream)]
	if !ok {
		return nil, hearth.CalculationNotFound(id)
	}
	return io.NopCloser(strings.NewReader(text[offset:])), nil
}

func (d *driver) Written(_ context.Context, id string, stream hearth.Stream) (io.ReadSeekCloser, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	text, ok := d.files[id+" "+string(stream)]
	if !ok {
		return nil, hearth.CalculationNotFound(id)
	}
	return object{bytes.NewReader([]byte(text))}, nil
}

func (d *driver) Result(_ context.Context, id string) (io.ReadCloser, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	text, ok := d.files[id+" result"]
	if !ok {
		return nil, hearth.CalculationNotFound(id)
	}
	return io.NopCloser(strings.NewReader(text)), nil
}

func (d *driver) Connect(context.Context) (hearth.Endpoint, error) {
	d.told <- "connect"
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.endpoint.Address == "" {
		return hearth.Endpoint{}, errNoConnect
	}
	return d.endpoint, nil
}

// listens makes the driver speak Spark Connect.
func (d *driver) listens(at hearth.Endpoint) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.endpoint = at
}

func (*driver) UI(context.Context) (hearth.Endpoint, error) { return hearth.Endpoint{}, errNoConnect }

var errNoConnect = hearth.Errorf(hearth.KindUnavailable, "The driver has no Spark.")

// objects keeps objects in memory, and can be down.
type objects struct {
	mu     sync.Mutex
	byURI  map[string][]byte
	down   bool
	gone   bool          // as if the bucket had been deleted
	stuck  string        // what is below it cannot be removed
	denied chan struct{} // has a token after each Put that found it down

	encrypted map[string]*hearth.Encryption // by URI
	owned     map[string]hearth.Ownership   // by URI

	placings int
	synced   []string // the URIs, each time
	released chan []hearth.Unsynced
}

var errDown = errors.New("connection refused")

func newObjects() *objects {
	return &objects{byURI: map[string][]byte{}, encrypted: map[string]*hearth.Encryption{}, owned: map[string]hearth.Ownership{}, released: make(chan []hearth.Unsynced, 100), denied: make(chan struct{}, 100)}
}

func (o *objects) Check(_ context.Context, object hearth.Object) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.refusal(object)
}

func (o *objects) refusal(object hearth.Object) error {
	switch {
	case o.down:
		return hearth.Errorf(hearth.KindUnavailable, "the output location is down: %w", errDown)
	case o.gone || strings.HasPrefix(object.URI, "s3://no-such-bucket/"):
		return hearth.Errorf(hearth.KindNotFound, "There is no bucket for %s.", object.URI)
	case object.Encryption != nil && object.Encryption.Option == hearth.CSEKMS:
		return hearth.Errorf(hearth.KindInvalid, "There is no CSE_KMS.")
	}
	return nil
}

func (o *objects) Put(_ context.Context, object hearth.Object, content io.Reader) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.refusal(object); err != nil {
		if o.down {
			o.denied <- struct{}{}
		}
		return err
	}
	text, err := io.ReadAll(content)
	o.byURI[object.URI], o.encrypted[object.URI], o.owned[object.URI] = text, object.Encryption, object.Ownership
	return err
}

func (o *objects) Place(ctx context.Context, object hearth.Object, content []byte) (hearth.Unsynced, error) {
	if err := o.Put(ctx, object, bytes.NewReader(content)); err != nil {
		return hearth.Unsynced{}, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.placings++
	return hearth.Unsynced{ID: strconv.Itoa(o.placings), URI: object.URI, Kept: content}, nil
}

func (o *objects) Sync(_ context.Context, placed []hearth.Unsynced) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, u := range placed {
		if err := o.refusal(hearth.Object{URI: u.URI}); err != nil {
			return err
		}
		if n, _ := strconv.Atoi(u.ID); n == 0 || n > o.placings { // of an earlier server
			o.byURI[u.URI] = u.Kept
		}
		o.synced = append(o.synced, u.URI)
	}
	return nil
}

func (o *objects) Release(placed []hearth.Unsynced) { o.released <- placed }

func (o *objects) Open(_ context.Context, uri string) (io.ReadSeekCloser, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	text, ok := o.byURI[uri]
	if !ok {
		return nil, hearth.Errorf(hearth.KindNotFound, "no object at %s", uri)
	}
	return object{bytes.NewReader(text)}, nil
}

// Holds is true of one bucket: others are in a store of somebody else.
func (o *objects) Holds(uri string) bool { return strings.HasPrefix(uri, "s3://hearth/") }

func (o *objects) Size(_ context.Context, uri string) (int64, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return int64(len(o.byURI[uri])), nil
}

func (o *objects) Remove(_ context.Context, uri string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stuck != "" && strings.HasPrefix(uri, o.stuck) {
		return hearth.Errorf(hearth.KindUnavailable, "the disk is damaged there")
	}
	delete(o.byURI, uri)
	return nil
}

// under lists the URIs that begin with one.
func (o *objects) under(uri string) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(o.byURI)), func(other string) bool { return !strings.HasPrefix(other, uri) })
}

type object struct{ *bytes.Reader }

func (object) Close() error { return nil }

func (o *objects) setStuck(uri string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.stuck = uri
}

func (o *objects) setDown(down bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.down = down
}

func (o *objects) text(uri string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.byURI[uri])
}

// ownership tells what an object was put with.
func (o *objects) ownership(uri string) hearth.Ownership {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.owned[uri]
}

// encryption tells how an object was put, and whether.
func (o *objects) encryption(uri string) (e *hearth.Encryption, put bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	e, put = o.encrypted[uri]
	return e, put
}
