package metastore

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// AddressVariable is the variable of a driver's environment with the host and
// port of its catalog. Hadoop puts it in where a property says ${env.…}.
const AddressVariable = "HEARTH_METASTORE"

// tokenFile is where Hadoop's client finds what it is let in with.
const tokenFile = "metastore.token"

// maxMessage is the most bytes of a call. A table of 10,000 columns takes 1
// to 2 MB.
const maxMessage = 16 << 20

const (
	// maxStrangers is how many clients may be about to say who they are. Anybody
	// on this machine can connect, and a driver has one or two connections.
	maxStrangers = 64
	// greeting is how long a client may take to say who it is.
	greeting = 10 * time.Second
)

// Server is the catalog of one driver.
type Server struct {
	path     string
	login    login
	listener net.Listener
	files    Files
	log      *slog.Logger

	strangers chan struct{} // has one for each client that is not known yet
	refusals  refusals

	open    sync.Once
	catalog *catalog
	failed  error

	serving sync.WaitGroup
	stop    context.CancelFunc
}

// Serve serves the catalog in a file, which Create has made, to the driver whose
// bundle is given: the variables of its environment tell it how to come in.
// Nothing is opened before the driver asks for something.
func Serve(path, bundle string, files Files, log *slog.Logger) (s *Server, environment []string, err error) {
	s = &Server{path: path, files: files, log: log, login: login{user: "hearth", password: rand.Text()}, strangers: make(chan struct{}, maxStrangers)}
	token := filepath.Join(bundle, tokenFile)
	if err := os.WriteFile(token, s.login.credentials(), 0o600); err != nil {
		return nil, nil, err
	}
	if s.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.serving.Go(func() { s.run(ctx) })
	return s, []string{AddressVariable + "=" + s.listener.Addr().String(), "HADOOP_TOKEN_FILE_LOCATION=" + token}, nil
}

// Close ends all connections. A change that is under way is made, or is not.
func (s *Server) Close() error {
	s.stop()
	err := s.listener.Close()
	s.serving.Wait()
	if s.catalog != nil {
		err = errors.Join(err, s.catalog.db.Close())
	}
	return err
}

func (s *Server) run(ctx context.Context) {
	for {
		conn, err := s.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // too many open files, perhaps
			s.log.Warn("the catalog cannot be reached for now", "error", err)
			select {
			case <-time.After(100 * time.Millisecond):
				continue
			case <-ctx.Done():
				return
			}
		}
		select {
		case s.strangers <- struct{}{}:
		default:
			s.refusals.log(s.log, errCrowd)
			conn.Close()
			continue
		}
		s.serving.Go(func() {
			defer conn.Close()
			defer context.AfterFunc(ctx, func() { conn.Close() })()
			err := s.admit(conn)
			<-s.strangers
			if err != nil {
				if !errors.Is(err, io.EOF) && ctx.Err() == nil {
					s.refusals.log(s.log, err)
				}
				return
			}
			if err := s.serve(ctx, conn); !errors.Is(err, io.EOF) && ctx.Err() == nil {
				s.log.Warn("a connection to the catalog was closed", "error", err)
			}
		})
	}
}

// admit returns nil when the client is the driver.
func (s *Server) admit(conn net.Conn) error {
	if err := conn.SetDeadline(time.Now().Add(greeting)); err != nil {
		return err
	}
	if err := s.login.admit(conn); err != nil {
		return err
	}
	return conn.SetDeadline(time.Time{})
}

// serve answers the calls of one connection, in their order. It returns why it
// ended: io.EOF when the client has gone.
func (s *Server) serve(ctx context.Context, conn net.Conn) error {
	for {
		message, err := readFrame(conn)
		if err != nil {
			return err
		}
		call, err := decodeCall(message)
		if err != nil {
			return err
		}
		var reply []byte
		if c, err := s.opened(); err != nil {
			reply = call.refuse(internalError, err.Error())
		} else {
			reply = c.answer(ctx, call, s.log)
		}
		if reply == nil {
			continue
		}
		if _, err := conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(reply))), reply...)); err != nil {
			return err
		}
	}
}

// opened opens the catalog when it is first asked for something.
func (s *Server) opened() (*catalog, error) {
	s.open.Do(func() {
		db, err := open(s.path)
		if err == nil {
			s.catalog = &catalog{db: db, files: s.files}
		}
		s.failed = err
	})
	return s.catalog, s.failed
}

func readFrame(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxMessage {
		return nil, fmt.Errorf("a call has %d bytes, and %d are the most", size, maxMessage)
	}
	// The buffer grows with what comes, not with what is said to come.
	var message bytes.Buffer
	if _, err := io.CopyN(&message, r, int64(size)); err != nil {
		return nil, fmt.Errorf("a call of %d bytes ended early: %w", size, noEOF(err))
	}
	return message.Bytes(), nil
}

// noEOF makes an end in the middle an error.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// credentials gives the login in the form of Hadoop's token files (Credentials
// in its version 0): one token, and no other secrets.
func (l login) credentials() []byte {
	b := append([]byte("HDTS\x00"), 1)
	for _, part := range []string{"hearth", l.user, l.password, "HIVE_DELEGATION_TOKEN", TokenSignature} {
		b = append(append(b, byte(len(part))), part...) // lengths below 128 take a byte
	}
	return append(b, 0)
}

// TokenSignature is the name that the driver's token has for Hive's client, in
// its property hive.metastore.token.signature.
const TokenSignature = "hearth"
