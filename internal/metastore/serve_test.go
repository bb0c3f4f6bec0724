package metastore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestStrangers(t *testing.T) {
	t.Run("who says nothing is not waited for long", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			here, there := net.Pipe()
			defer here.Close()
			defer there.Close()
			began := time.Now()
			if err := (&Server{}).admit(here); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("it ends with %v", err)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	})
	t.Run("a crowd of them is not let in, and leaves the driver its connections", func(t *testing.T) {
		s, environment, err := Serve(file(t), t.TempDir(), local{}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		known := dial(t, environment)
		if status, _ := known.greet(s.login); status != saslComplete {
			t.Fatalf("the driver is refused: %d", status)
		}
		known.ask("get_all_databases", &structure{}) // it is no stranger any more
		var crowd []client
		for range maxStrangers {
			crowd = append(crowd, dial(t, environment))
		}
		more := dial(t, environment)
		if err := more.SetReadDeadline(time.Now().Add(greeting / 2)); err != nil {
			t.Fatal(err)
		}
		if _, err := readFrame(more); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("one more is not turned away at once: %v", err)
		}
		known.ask("get_all_databases", &structure{})
		crowd[0].greet(login{})
		if _, err := readFrame(crowd[0]); !errors.Is(err, io.EOF) { // it makes room before it is closed
			t.Errorf("who is refused gets %v", err)
		}
		if status, _ := dial(t, environment).greet(s.login); status != saslComplete {
			t.Errorf("the driver is refused: %d", status)
		}
	})
	t.Run("the log has them now and then", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			log, r := slog.New(slog.NewTextHandler(&out, nil)), &refusals{}
			for range 1000 {
				r.log(log, errRefused)
			}
			if n := strings.Count(out.String(), "\n"); n != 1 {
				t.Errorf("%d lines are of 1000 refusals", n)
			}
			time.Sleep(refusalsEvery)
			r.log(log, errRefused)
			if !strings.Contains(out.String(), "others_before=999") {
				t.Errorf("the log is %s", &out)
			}
		})
	})
}

func TestReadFrame(t *testing.T) {
	head := func(size uint32) []byte { return binary.BigEndian.AppendUint32(nil, size) }
	t.Run("too much is refused", func(t *testing.T) {
		if _, err := readFrame(bytes.NewReader(head(maxMessage + 1))); err == nil || !strings.Contains(err.Error(), "the most") {
			t.Errorf("the error is %v", err)
		}
	})
	t.Run("an end in the middle is an error", func(t *testing.T) {
		if _, err := readFrame(bytes.NewReader(append(head(2), 1))); !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			t.Errorf("the error is %v", err)
		}
	})
	t.Run("what is only said to come takes no memory", func(t *testing.T) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := readFrame(bytes.NewReader(append(head(maxMessage), 1)))
		runtime.ReadMemStats(&after)
		if taken := after.TotalAlloc - before.TotalAlloc; err == nil || taken > maxMessage/8 {
			t.Errorf("it took %d bytes (%v)", taken, err)
		}
	})
}
