package connect

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
)

// maxRecord is how much of a message a record of TLS has at most (RFC 8446,
// section 5.1).
const maxRecord = 16 << 10

// sealed is a connection of TLS. It is not http.Server that speaks TLS, because
// then each record would be a call of the system by itself, and would wake the
// client up.
type sealed struct {
	net.Conn // of TLS: no *tls.Conn, for http.Server not to know
	socket   *socket
	greeting sync.Once
	logf     func(format string, args ...any)
}

func newSealed(c net.Conn, config *tls.Config, logf func(format string, args ...any)) *sealed {
	s := &socket{Conn: c}
	return &sealed{Conn: tls.Server(s, config), socket: s, logf: logf}
}

// Read shakes hands first.
func (s *sealed) Read(p []byte) (int, error) {
	s.greeting.Do(s.greet)
	return s.Conn.Read(p)
}

// greet logs what is wrong, which whoever reads is told again, and answers those
// who speak plain HTTP.
func (s *sealed) greet() {
	err := s.Conn.(*tls.Conn).Handshake()
	if err == nil {
		return
	}
	s.logf("TLS handshake with %s: %v", s.RemoteAddr(), err)
	if no, ok := errors.AsType[tls.RecordHeaderError](err); ok && no.Conn != nil && 'A' <= no.RecordHeader[0] && no.RecordHeader[0] <= 'Z' {
		_, _ = io.WriteString(no.Conn, "HTTP/1.0 400 Bad Request\r\n\r\nThis is the address of Spark Connect, which is gRPC and needs TLS.\n")
	}
}

// Write sends p, however many records that is, by as few calls of the system as
// can be.
func (s *sealed) Write(p []byte) (int, error) {
	if len(p) <= maxRecord {
		return s.Conn.Write(p)
	}
	s.socket.hold()
	n, err := s.Conn.Write(p)
	if e := s.socket.release(); e != nil && err == nil {
		return 0, e
	}
	return n, err
}

// socket is what TLS writes its records to, one by one. While it is held, it
// gathers them.
type socket struct {
	net.Conn

	mu       sync.Mutex // TLS may write by itself: alerts, new keys
	gathered *[]byte    // nil when it is not held
}

var gatherings = sync.Pool{New: func() any { return new(make([]byte, 0, gatherLen)) }}

func (s *socket) hold() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gathered = gatherings.Get().(*[]byte)
}

func (s *socket) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gathered == nil {
		return s.Conn.Write(p)
	}
	if len(*s.gathered)+len(p) > cap(*s.gathered) {
		if err := s.send(); err != nil {
			return 0, err
		}
	}
	*s.gathered = append(*s.gathered, p...)
	return len(p), nil
}

// release sends what has been gathered.
func (s *socket) release() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.send()
	gatherings.Put(s.gathered)
	s.gathered = nil
	return err
}

func (s *socket) send() error {
	_, err := s.Conn.Write(*s.gathered)
	*s.gathered = (*s.gathered)[:0]
	return err
}
