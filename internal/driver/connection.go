package driver

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"

	"hearth"
	"hearth/internal/kernel"
	"hearth/internal/shim"
)

// driver implements hearth.Driver by what is in a bundle. It has no connection
// of its own: each call makes one, and so needs no closing and cannot be stale.
type driver struct {
	sessionID string
	bundle    string
	token     string
	config    *Config
	launching *locks
}

func (d *Drivers) driver(sessionID, bundle, token string) *driver {
	return &driver{sessionID: sessionID, bundle: bundle, token: token, config: &d.config, launching: &d.launching}
}

// connection is a shim's attention.
type connection struct {
	net.Conn
	in    *bufio.Reader
	pid   int // the shim's
	leave func() bool
}

// errNoSocket says that nobody listens, rather than listens badly.
var errNoSocket = errors.New("the shim does not listen")

// errRefused says that somebody answers who does not want us.
var errRefused = errors.New("the shim refused")

// Timeouts are for a shim that is stopped or starved. What it replies to may
// have had to wait for the disk.
const (
	welcomeTimeout = 5 * time.Second
	replyTimeout   = 30 * time.Second
)

// connect greets the shim with what the caller wants to be shown, and sends
// requests with it, so that the shim is waited for once. The connection closes when
// ctx is done.
func (d *driver) connect(ctx context.Context, hello shim.Message, requests ...shim.Message) (*connection, error) {
	conn, err := shim.Dial(d.bundle)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("%w: %w", errNoSocket, err)
	}
	if err != nil {
		return nil, err
	}
	c := &connection{Conn: conn, in: bufio.NewReader(conn)}
	c.leave = context.AfterFunc(ctx, func() { conn.Close() })
	hello.Type, hello.Protocol, hello.Token = shim.MessageHello, shim.Protocol, d.token
	var out bytes.Buffer
	for _, m := range append([]shim.Message{hello}, requests...) {
		err = errors.Join(err, kernel.WriteFrame(&out, m))
	}
	if err == nil {
		err = conn.SetDeadline(time.Now().Add(welcomeTimeout))
	}
	if err == nil {
		_, err = out.WriteTo(conn)
	}
	if err == nil {
		var welcome shim.Message
		welcome, err = c.receive()
		c.pid = welcome.PID
		if err == nil && welcome.Type != shim.MessageWelcome {
			err = fmt.Errorf("%w: %s", errRefused, welcome.Error)
		}
	}
	if err = errors.Join(err, conn.SetDeadline(time.Time{})); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Close may be called again.
func (c *connection) Close() error {
	c.leave()
	if err := c.Conn.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

func (c *connection) receive() (m shim.Message, err error) {
	frame, err := kernel.ReadFrame(c.in)
	if err != nil {
		return m, err
	}
	return m, json.Unmarshal(frame, &m)
}

// errNothing says that nothing came in time; there is no harm in trying again.
var errNothing = errors.New("the shim says nothing")

// receiveWithin returns errNothing when no message has begun to come by then.
func (c *connection) receiveWithin(patience time.Duration) (m shim.Message, err error) {
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return m, err
	}
	if _, err := c.in.Peek(1); errors.Is(err, os.ErrDeadlineExceeded) {
		return m, errNothing
	}
	if err := c.SetReadDeadline(time.Now().Add(replyTimeout)); err != nil {
		return m, err
	}
	return c.receive()
}

// ping asks for an answer, whatever it is.
func (c *connection) ping() error {
	return errors.Join(
		c.SetWriteDeadline(time.Now().Add(replyTimeout)),
		kernel.WriteFrame(c, shim.Message{Type: shim.MessageRequest, Op: shim.OpPing}),
	)
}

// request has the shim do something and returns its reply, which may be a refusal.
func (d *driver) request(ctx context.Context, r shim.Message) (reply shim.Message, err error) {
	r.Type, r.ID = shim.MessageRequest, 1
	conn, err := d.connect(ctx, shim.Message{}, r)
	if err == nil {
		defer conn.Close()
		err = conn.SetDeadline(time.Now().Add(replyTimeout))
	}
	if err == nil {
		reply, err = conn.receive()
	}
	if ctx.Err() != nil {
		return reply, ctx.Err()
	}
	if err != nil {
		return reply, unreachable(d.sessionID, err)
	}
	return reply, nil
}

// Execute hands over a calculation. It returns KindConflict when the driver has
// another one, is still starting, or is ending.
func (d *driver) Execute(ctx context.Context, calculationID, code string) error {
	reply, err := d.request(ctx, shim.Message{Op: shim.OpExecute, Calculation: calculationID, Code: code})
	if err == nil && reply.Error != "" {
		err = hearth.Errorf(hearth.KindConflict, "The driver of session %s did not take calculation %s: %s.", d.sessionID, calculationID, reply.Error)
	}
	return err
}

// Cancel asks for a calculation's stop.
func (d *driver) Cancel(ctx context.Context, calculationID string) error {
	return d.stop(ctx, shim.Message{Op: shim.OpInterrupt, Calculation: calculationID})
}

// End asks the driver to end, and kills one that counts as unresponsive by the
// time that it has not answered.
func (d *driver) End(ctx context.Context) error {
	for silence := time.Duration(0); ; {
		began := time.Now()
		err := d.stop(ctx, shim.Message{Op: shim.OpEnd})
		if err == nil || ctx.Err() != nil || errors.Is(err, errRefused) {
			return err
		}
		if silence += min(time.Since(began), longestBeat); silence >= d.config.UnresponsiveAfter {
			d.config.Log.Warn("a driver that was to end is killed, because its shim does not answer", "session", d.sessionID, "error", err)
			return d.kill()
		}
	}
}

// stop is a request whose purpose a driver that has ended fulfils.
func (d *driver) stop(ctx context.Context, r shim.Message) error {
	_, err := d.request(ctx, r)
	if err != nil && ctx.Err() == nil && d.over(ctx) {
		return nil
	}
	return err
}

// over reports whether the driver has ended or is about to: a shim that leaves
// puts the exit on record, closes its socket and frees its lock, in this order.
func (d *driver) over(ctx context.Context) bool {
	exited, err := d.exited()
	return err == nil && exited || d.unlockedSoon(ctx)
}
