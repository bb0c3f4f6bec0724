package httpd

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/google/uuid"

	"hearth"
	"hearth/internal/access"
	"hearth/internal/sigv4"
)

// targetHeader names the operation of a request of the Athena API.
const targetHeader = "X-Amz-Target"

// IdentityHeader is the header in which /ok answers Config.Identity.
const IdentityHeader = "X-Hearth-Identity"

// newRequestID gives a UUID that nobody has to guess at: the generator of
// math/rand costs no system call.
func newRequestID() string {
	var id uuid.UUID
	binary.NativeEndian.PutUint64(id[:8], rand.Uint64())
	binary.NativeEndian.PutUint64(id[8:], rand.Uint64())
	id[6] = id[6]&0x0f | 0x40 // version 4
	id[8] = id[8]&0x3f | 0x80 // RFC 9562's variant
	return id.String()
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	x := &exchange{ResponseWriter: w, id: newRequestID(), began: time.Now(), scheme: s.scheme()}
	d := s.doors.of(r)
	x.Header().Set(d.protocol.idHeader(), x.id)
	defer s.recover(x, r, d)
	s.enter(x, r, d)
	level := slog.LevelInfo
	switch target := r.Header.Get(targetHeader); {
	case d.quiet:
		level = slog.LevelDebug
	case d == s.doors.athena && x.status == http.StatusOK && s.polls(target):
		s.tally.count(x.principal.AccessKeyID, target, r.RemoteAddr)
		level = slog.LevelDebug
	}
	s.log(x, r, level)
}

func (s *Server) polls(target string) bool { return s.config.Polls != nil && s.config.Polls(target) }

// enter lets a request through its door when its signature is good.
func (s *Server) enter(x *exchange, r *http.Request, d *door) {
	ctx := r.Context()
	if d.lock == nil {
		s.enterUnsigned(x, r, d)
		return
	}
	if d.streams {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(s.leaving, cancel)()
	}
	principal, err := s.authenticate(x, r, d.lock)
	if refusal, ok := errors.AsType[*sigv4.Error](err); ok {
		x.fault = refusal.Message
		logMismatch(ctx, s.config.Log, x.id, refusal)
		d.lock.refuse(x, r, refusal)
		return
	}
	if err != nil {
		s.config.Log.ErrorContext(ctx, "access keys cannot be looked up", "request", x.id, "error", err)
		d.protocol.fail(x, r)
		return
	}
	x.principal = principal
	x.host = r.Host
	ctx = context.WithValue(access.WithPrincipal(ctx, x.principal), addressKey{}, x)
	d.handler.ServeHTTP(x, r.WithContext(ctx))
}

// authenticate tells who signed the request.
func (s *Server) authenticate(x *exchange, r *http.Request, l *lock) (access.Principal, error) {
	identity, err := s.verify(x, r, l)
	if err != nil {
		return access.Principal{}, err
	}
	principal, err := l.keys.Principal(r.Context(), identity.AccessKeyID, identity.SessionToken, s.config.Account)
	if hearth.KindOf(err) == hearth.KindDenied {
		return principal, &sigv4.Error{Fault: sigv4.FaultExpiredToken, Message: hearth.MessageOf(err)}
	}
	return principal, err
}

// enterUnsigned leaves it to the handler to read the body, in the time that a
// client has for it.
func (s *Server) enterUnsigned(x *exchange, r *http.Request, d *door) {
	if r.Body != http.NoBody {
		if err := http.NewResponseController(x.ResponseWriter).SetReadDeadline(time.Now().Add(s.config.ReadTimeout)); err != nil {
			s.config.Log.ErrorContext(r.Context(), "setting a deadline", "request", x.id, "error", err)
			d.protocol.fail(x, r)
			return
		}
	}
	d.handler.ServeHTTP(x, r)
}

type addressKey struct{}

// AddressFrom tells how the client of a signed request reached the server, as
// in http://127.0.0.1:8650. The host is part of what was signed.
func AddressFrom(ctx context.Context) string {
	x, entered := ctx.Value(addressKey{}).(*exchange)
	if !entered {
		return ""
	}
	return x.scheme + x.host
}

// verify checks the signature. Where it reads the body for that, the time for
// the whole of it is limited; where the handler reads it, that for each part.
func (s *Server) verify(x *exchange, r *http.Request, l *lock) (sigv4.Identity, error) {
	if r.Body == http.NoBody {
		if l.streams && strings.EqualFold(r.Header.Get("Expect"), "100-continue") {
			// It has nothing to send, so that the server lets it wait; boto3 does
			// wait, and takes the answer to this request for that to its next.
			x.WriteHeader(http.StatusContinue)
		}
		return l.verifier.Verify(r)
	}
	connection := http.NewResponseController(x.ResponseWriter)
	if err := connection.SetReadDeadline(time.Now().Add(s.config.ReadTimeout)); err != nil {
		return sigv4.Identity{}, hearth.Internal(err, "setting a deadline")
	}
	if l.streams {
		r.Body = &patientBody{r.Body, connection, s.config.ReadTimeout}
	}
	identity, err := l.verifier.Verify(r)
	if err != nil {
		return identity, err // with the deadline: what is left of the body is not waited for
	}
	if l.streams {
		r.Body = signedBody{r.Body}
		return identity, nil
	}
	if err := connection.SetReadDeadline(time.Time{}); err != nil {
		return sigv4.Identity{}, hearth.Internal(err, "setting a deadline")
	}
	return identity, nil
}

// recover answers for a handler that panicked. What is answered already cannot
// be taken back: then the connection is broken off, so that the client does not
// take a part for the whole.
func (s *Server) recover(x *exchange, r *http.Request, d *door) {
	cause := recover()
	switch cause {
	case nil:
		return
	case http.ErrAbortHandler:
		x.fault = "cut off"
	default:
		x.fault = "panic"
		s.config.Log.ErrorContext(r.Context(), "panic", "request", x.id, "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
	}
	if x.status == 0 && cause != http.ErrAbortHandler {
		d.protocol.fail(x, r)
		s.log(x, r, slog.LevelInfo)
		return
	}
	s.log(x, r, slog.LevelInfo)
	panic(http.ErrAbortHandler)
}

// log writes the line of a request. The query stays out of it: it may hold a
// signature.
func (s *Server) log(x *exchange, r *http.Request, level slog.Level) {
	if !s.config.Log.Enabled(r.Context(), level) {
		return
	}
	attributes := []slog.Attr{
		slog.String("request", x.id),
		slog.String("method", r.Method),
		slog.String("path", r.URL.Path),
		slog.Int("status", x.status),
		slog.Int64("bytes", x.written),
		slog.Duration("took", time.Since(x.began)),
		slog.String("remote", r.RemoteAddr),
	}
	if target := r.Header.Get(targetHeader); target != "" {
		attributes = append(attributes, slog.String("target", target))
	}
	if x.principal.AccessKeyID != "" {
		attributes = append(attributes, slog.String("key", x.principal.AccessKeyID))
	}
	if x.principal.SessionID != "" {
		attributes = append(attributes, slog.String("session", x.principal.SessionID))
	}
	if x.fault != "" {
		attributes = append(attributes, slog.String("fault", x.fault))
	}
	s.config.Log.LogAttrs(r.Context(), level, "request", attributes...)
}

// exchange is a request's answer, as the log tells of it.
type exchange struct {
	http.ResponseWriter
	id        string
	began     time.Time
	scheme    string // and host: how the client reached the server
	host      string
	principal access.Principal
	status    int // 0 until the answer has begun
	written   int64
	fault     string
}

func (x *exchange) WriteHeader(status int) {
	if x.status == 0 && status >= http.StatusOK {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

func (x *exchange) Write(p []byte) (int, error) {
	x.begin()
	n, err := x.ResponseWriter.Write(p)
	x.written += int64(n)
	return n, err
}

// ReadFrom lets files be sent without copying them through the program.
func (x *exchange) ReadFrom(r io.Reader) (int64, error) {
	x.begin()
	n, err := io.Copy(x.ResponseWriter, r)
	x.written += n
	return n, err
}

func (x *exchange) begin() {
	if x.status == 0 {
		x.status = http.StatusOK
	}
}

// FlushError sends what has been written so far.
func (x *exchange) FlushError() error {
	x.begin()
	return http.NewResponseController(x.ResponseWriter).Flush()
}

// Unwrap is for the rest of http.ResponseController.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }
