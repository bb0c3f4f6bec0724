// Package connect is the front door for Spark Connect clients: gRPC over TLS at
// an address of its own. It looks at each call's token, which is good for one
// session, and hands the call to that session's driver and to no other. Of what
// is said it knows HTTP/2 and gRPC's status, and not a word of Spark's.
package connect

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"time"

	"hearth"
)

// Sessions is what the door needs of the application.
type Sessions interface {
	// Admit tells what a token is good for. It returns KindDenied for one that is
	// good for nothing, and for one that has expired when the call begins an
	// operation.
	Admit(ctx context.Context, token string, begins bool) (hearth.ConnectToken, error)
	// Connect gives where the session's driver listens, when it does. It returns
	// KindDenied when the session has ended and KindUnavailable.
	Connect(ctx context.Context, sessionID string) (hearth.Endpoint, error)
}

// Keys knows access keys. Secret returns KindNotFound for an unknown one.
type Keys interface {
	Secret(ctx context.Context, accessKeyID string) (string, error)
}

// Config is what a Server needs.
type Config struct {
	// Addresses are where to listen: the first that can be had. Port 0 takes a
	// free one.
	Addresses []string
	// Certificate gives the certificate for a connection.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// MaxConnections is how many connections clients may have at once, all of them
	// together: at least 1.
	MaxConnections int

	Sessions Sessions
	Keys     Keys // tokens are good as long as their owner's key is
	Log      *slog.Logger
}

// What a client, known or not, can take of the server. The window of a stream is
// what is kept of it in each direction while the other side does not read.
const (
	readTimeout   = 30 * time.Second // for the handshake; for all, of a connection that is too many
	idleTimeout   = 10 * time.Minute // of a connection without a call
	silence       = time.Minute      // after which a connection is asked whether it lives
	maxHeader     = 64 << 10         // bytes of metadata; over it the connection's protocol refuses the call
	maxMetadata   = 7 << 10          // bytes of metadata; over it we do, in gRPC's words. A driver takes 8 KiB with what we add, as gRPC in Java does
	maxStreams    = 128              // calls at once on a connection; clients wait with more
	maxTold       = 64               // connections beyond Config.MaxConnections that are told so
	streamWindow  = 1 << 20
	allWindows    = 4<<20 - 1 // of a client's connection; the most that net/http takes
	maxFrame      = 256 << 10
	dialTimeout   = 5 * time.Second
	driversIdle   = 5 * time.Minute // of a connection to a driver without a call
	copyBufferLen = 128<<10 - 9     // with the head of HTTP/2's frame, whole records of TLS
	lastWords     = time.Second     // for what is still to be sent when a connection is closed
	gatherLen     = 130 << 10       // such a frame, sealed
)

// cipherSuites are those of TLS 1.2 that HTTP/2 allows (RFC 9113, appendix A) and
// Go has. Those of TLS 1.3 are all right.
var cipherSuites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// Server is a listening server.
type Server struct {
	config   Config
	http     *http.Server
	tls      *tls.Config
	listener net.Listener
	refusals []error
	drivers  *http.Transport
	buffers  httputil.BufferPool
	reading  *reading

	leaving context.Context // done when Shutdown begins
	leave   context.CancelFunc
}

// Listen takes the address; Serve begins to answer. The error is of
// KindUnavailable and says why none of the addresses can be had.
func Listen(c Config) (*Server, error) {
	s := newServer(c)
	for _, address := range c.Addresses {
		listener, err := net.Listen("tcp", address)
		if err == nil {
			s.listener = listener
			return s, nil
		}
		s.refusals = append(s.refusals, err)
	}
	return nil, hearth.Errorf(hearth.KindUnavailable, "There is no address for Spark Connect: %w. "+
		"Stop the program that has it, or choose another one with connect_listen in the configuration file.", errors.Join(s.refusals...))
}

func newServer(c Config) *Server {
	s := &Server{config: c, buffers: newBuffers(copyBufferLen), reading: newReading()}
	s.leaving, s.leave = context.WithCancel(context.Background())

	s.tls = &tls.Config{
		GetCertificate: c.Certificate,
		MinVersion:     tls.VersionTLS12,
		CipherSuites:   cipherSuites,
		NextProtos:     []string{"h2", "http/1.1"},

		DynamicRecordSizingDisabled: true, // small first records are for who shows what has come of a page
	}

	// Clients of HTTP/1.1 are let in to be told that it is not spoken. What of TLS
	// there is, connections do.
	var clients, drivers http.Protocols
	clients.SetHTTP1(true)
	clients.SetUnencryptedHTTP2(true)
	drivers.SetUnencryptedHTTP2(true)
	s.http = &http.Server{
		Handler:           http.HandlerFunc(s.serve),
		Protocols:         &clients,
		ConnContext:       tell,
		ReadHeaderTimeout: readTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          maxStreams,
			MaxReceiveBufferPerStream:     streamWindow,
			MaxReceiveBufferPerConnection: allWindows,
			MaxReadFrameSize:              maxFrame,
			SendPingTimeout:               silence,
		},
		ErrorLog: slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
	}
	s.drivers = &http.Transport{
		Protocols:          &drivers,
		DialContext:        dial,
		DisableCompression: true,
		IdleConnTimeout:    driversIdle,
		// The window of a whole connection stays at its default, which is large:
		// who does not read an answer must not hold up the others.
		HTTP2: &http.HTTP2Config{MaxReceiveBufferPerStream: streamWindow, MaxReadFrameSize: maxFrame},
	}
	return s
}

// dial connects to a driver.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return newGathered(c), nil
}

// Address is where the server listens, as host:port.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Refusals tell why the addresses before Address were not to be had.
func (s *Server) Refusals() []error { return s.refusals }

// Serve answers until Shutdown, when it returns nil.
func (s *Server) Serve() error {
	err := s.http.Serve(&connections{Listener: s.listener, tls: s.tls, logf: s.http.ErrorLog.Printf, max: s.config.MaxConnections})
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return hearth.Internal(err, "serving Spark Connect")
}

// Shutdown tells all calls that the server leaves, and returns when they have
// been told or ctx is done. Clients take an operation up again where it was; it
// goes on in the driver.
func (s *Server) Shutdown(ctx context.Context) {
	s.leave()
	if s.http.Shutdown(ctx) != nil {
		s.http.Close()
	}
	s.listener.Close()
	s.drivers.CloseIdleConnections()
}
