// Package httpd listens, and decides who may come in: it gives each request an
// id, finds its door (the Athena API, Hearth's REST, S3, the console), verifies
// its signature as that door's clients sign, and hands it over. What a door never
// answers, a refusal or a panic, is answered in the door's protocol here.
//
// No request is served unsigned, except /ok, /metrics and those of browsers, which cannot
// sign: the console looks for a pass by itself.
package httpd

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"

	"hearth"
	"hearth/internal/access"
)

// Config is what a Server needs.
type Config struct {
	// Address is where to listen: host:port. Port 0 takes a free one.
	Address string
	// Certificate gives the certificate for a connection; without it there is no
	// TLS.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)

	// The doors. Those but the console get requests whose signature is
	// verified, with the principal in their context (access.PrincipalFrom).
	Athena  http.Handler // POST /
	REST    http.Handler // everything below /v1/
	Console http.Handler // everything below /ui/; checks by itself who comes
	Objects http.Handler // everything else: S3, path style
	// Metrics answers GET /metrics to whoever asks, as /ok is: it tells figures and
	// no names. Without it the path is one like others.
	Metrics http.Handler

	// Keys are the access keys that requests may be signed with, and S3Keys
	// those for S3, where sessions have keys of their own.
	Keys   Keys
	S3Keys SessionKeys
	// Account is the AWS account of all principals, and Region the one that
	// requests have to be signed for.
	Account, Region string

	// MaxBody is the most bytes that the body of a request may have. S3's door
	// has limits of its own.
	MaxBody int64
	// ReadTimeout is how long a client may take to send the header of a
	// request, and then its body; for S3, how long it may send nothing of it.
	// 0 is 30 seconds. An answer may take as long as it likes.
	ReadTimeout time.Duration

	// Polls reports whether an X-Amz-Target is called again and again by clients
	// that wait. What of that goes well is counted in the log; everything else has
	// a line for each request. nil counts nothing.
	Polls func(target string) bool

	// Ready tells why the server is not ready to work, nil when it is. /ok
	// answers 200 or 503 by it.
	Ready func(context.Context) error
	// Identity tells this server from others that come to the same address.
	// /ok answers it in IdentityHeader.
	Identity string

	Log *slog.Logger
}

// Keys knows access keys. Secret returns KindNotFound for an unknown one.
type Keys interface {
	Secret(ctx context.Context, accessKeyID string) (string, error)
	Principal(accessKeyID, account string) access.Principal
}

// SessionKeys knows the keys of sessions too, which come with a token. Secret
// returns KindDenied for a wrong token, and Principal for the key of a session
// that has ended.
type SessionKeys interface {
	Secret(ctx context.Context, accessKeyID, token string) (string, error)
	Principal(ctx context.Context, accessKeyID, token, account string) (access.Principal, error)
}

const (
	maxHeader   = 64 << 10         // bytes
	idleTimeout = 2 * time.Minute  // of a connection between requests
	readTimeout = 30 * time.Second // default of Config.ReadTimeout

	// lastAnswer is what Shutdown leaves a request, after its time is over, to
	// answer that it was cut off.
	lastAnswer = time.Second
)

// Server is a listening server.
type Server struct {
	config   Config
	http     *http.Server
	listener net.Listener
	doors    doors
	tally    tally

	// leaving is done when Shutdown begins, stopping when its time is over.
	leaving, stopping context.Context
	leave, stop       context.CancelFunc
}

// Listen takes the address; Serve begins to answer. The error is of
// KindUnavailable when the address cannot be had; it says what to do.
func Listen(c Config) (*Server, error) {
	if c.ReadTimeout == 0 {
		c.ReadTimeout = readTimeout
	}
	s := &Server{config: c, doors: newDoors(c), tally: tally{log: c.Log}}
	s.leaving, s.leave = context.WithCancel(context.Background())
	s.stopping, s.stop = context.WithCancel(context.Background())
	s.http = &http.Server{
		Handler:           http.HandlerFunc(s.serve),
		ReadHeaderTimeout: c.ReadTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(c.Log.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return s.stopping },
	}
	if c.Certificate != nil {
		s.http.TLSConfig = &tls.Config{GetCertificate: c.Certificate, MinVersion: tls.VersionTLS12}
	}
	var err error
	if s.listener, err = net.Listen("tcp", c.Address); err != nil {
		return nil, listenError(c.Address, err)
	}
	return s, nil
}

func listenError(address string, err error) error {
	const other = "choose another address with --listen, or listen in the configuration file"
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return hearth.Errorf(hearth.KindUnavailable, "The address %s is taken by another program. Stop that program, or %s.", address, other)
	case errors.Is(err, syscall.EACCES):
		return hearth.Errorf(hearth.KindUnavailable, "This user may not listen at %s; ports below 1024 need a privilege. Get it, or %s.", address, other)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return hearth.Errorf(hearth.KindUnavailable, "This machine does not have the address %s. Correct it: %s.", address, other)
	}
	return hearth.Errorf(hearth.KindUnavailable, "Listening at %s is not possible: %w. Correct the address: %s.", address, err, other)
}

// URL is where clients on this machine reach the server.
func (s *Server) URL() string {
	address := s.listener.Addr().String()
	if a, err := netip.ParseAddrPort(address); err == nil && a.Addr().IsUnspecified() {
		address = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), a.Port()).String()
	}
	return s.scheme() + address
}

func (s *Server) scheme() string {
	if s.tls() {
		return "https://"
	}
	return "http://"
}

// tls is told by what was asked for: http.Server sets a TLSConfig of its own.
func (s *Server) tls() bool { return s.config.Certificate != nil }

// Serve answers requests until Shutdown, and returns nil then.
func (s *Server) Serve() error {
	var err error
	if s.tls() {
		err = s.http.ServeTLS(s.listener, "", "")
	} else {
		err = s.http.Serve(s.listener)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return hearth.Internal(err, "serving "+s.config.Address)
}

// Shutdown stops listening and lets open requests be answered, until ctx is
// done. Streams, which would go on, are cut off at once: their readers go on
// from where they were, with another server. When ctx is done, the contexts of
// all requests that are left are done too; after one more second their
// connections are closed.
func (s *Server) Shutdown(ctx context.Context) {
	defer s.listener.Close() // in case that Serve was never called
	defer s.tally.tell()
	s.leave()
	if s.http.Shutdown(ctx) == nil {
		s.stop()
		return
	}
	s.stop()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastAnswer)
	defer cancel()
	if s.http.Shutdown(ctx) != nil {
		s.http.Close()
	}
}
