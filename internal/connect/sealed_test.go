package connect

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"net"
	"testing"

	"hearth/internal/authority"
)

// What is written at once leaves at once, however many records it is.
func TestSealed(t *testing.T) {
	a, err := authority.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			ours, theirs := net.Pipe()
			conn := &counted{Conn: ours}
			s := newSealed(conn, &tls.Config{GetCertificate: a.Certificate("127.0.0.1"), DynamicRecordSizingDisabled: true}, t.Logf)
			greeted := make(chan error)
			go func() {
				_, err := s.Read(make([]byte, 1))
				greeted <- err
			}()
			client := tls.Client(theirs, &tls.Config{InsecureSkipVerify: true, MaxVersion: version})
			if _, err := client.Write([]byte("a")); err != nil {
				t.Fatal(err)
			}
			if err := <-greeted; err != nil {
				t.Fatal(err)
			}
			all := received(client)
			var want []byte
			for _, c := range []struct{ size, writes int }{
				{1, 1}, {maxRecord, 1}, {maxRecord + 1, 1}, {copyBufferLen + 9, 1}, {3 * gatherLen, 4},
			} {
				text := make([]byte, c.size)
				rand.Read(text)
				want = append(want, text...)
				conn.writes = nil
				if n, err := s.Write(text); n != c.size || err != nil {
					t.Errorf("%d bytes of %d, %v", n, c.size, err)
				}
				if len(conn.writes) != c.writes {
					t.Errorf("%d bytes left in pieces of %d", c.size, conn.writes)
				}
			}
			s.Close()
			if !bytes.Equal(all(), want) {
				t.Error("something else came")
			}
		})
	}
	t.Run("tells when it cannot be sent", func(t *testing.T) {
		ours, theirs := net.Pipe()
		s := newSealed(ours, &tls.Config{GetCertificate: a.Certificate("127.0.0.1")}, t.Logf)
		greeted := make(chan struct{})
		go func() {
			defer close(greeted)
			s.Read(make([]byte, 1))
		}()
		client := tls.Client(theirs, &tls.Config{InsecureSkipVerify: true})
		client.Write([]byte("a"))
		<-greeted
		theirs.Close()
		if n, err := s.Write(make([]byte, 2*maxRecord)); n != 0 || err == nil {
			t.Errorf("%d bytes, %v", n, err)
		}
		if s.socket.gathered != nil {
			t.Error("it is still held")
		}
	})
}
