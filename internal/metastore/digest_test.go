package metastore

import (
	"crypto/md5"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// respond is the client's part of RFC 2831, written down once more.
func (l login) respond(nonce string) string {
	hash := func(text string) string { return fmt.Sprintf("%x", md5.Sum([]byte(text))) }
	const cnonce, uri = "a client's nonce", "null/default"
	first := md5.Sum([]byte(encoded(l.user) + ":default:" + encoded(l.password)))
	a1 := hash(string(first[:]) + ":" + nonce + ":" + cnonce)
	response := hash(a1 + ":" + nonce + ":00000001:" + cnonce + ":auth:" + hash("AUTHENTICATE:"+uri))
	return fmt.Sprintf(`charset=utf-8,username="%s",realm="default",nonce="%s",nc=00000001,cnonce="%s",digest-uri="%s",maxbuf=65536,response=%s,qop=auth`,
		encoded(l.user), nonce, cnonce, uri, response)
}

// TestDigest has the example of RFC 2831, section 4.
func TestDigest(t *testing.T) {
	said := directives(`charset=utf-8,username="chris",realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",nc=00000001,cnonce="OA6MHXh6VqTrRk",digest-uri="imap/elwood.innosoft.com",response=d388dad90d4bbd760a152321f2143af7,qop=auth`)
	secret := md5.Sum([]byte("chris:elwood.innosoft.com:secret"))
	got := digest(secret, "OA6MG9tEQGm2hh", said, "AUTHENTICATE:")
	if got != said["response"] {
		t.Errorf("the response is %s", got)
	}
	if got := digest(secret, "OA6MG9tEQGm2hh", said, ":"); got != "ea40f60335c427b5527b84dbabcdfffd" {
		t.Errorf("the proof is %s", got)
	}
}

func TestServe(t *testing.T) {
	at := file(t)
	serve := func(t *testing.T) (*Server, []string) {
		s, environment, err := Serve(at, t.TempDir(), local{}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return s, environment
	}
	t.Run("who has the token is answered", func(t *testing.T) {
		s, environment := serve(t)
		c := dial(t, environment)
		if status, proof := c.greet(s.login); status != saslComplete || !strings.HasPrefix(proof, "rspauth=") {
			t.Fatalf("the greeting ends with %d, %s", status, proof)
		}
		if reply := c.ask("get_all_databases", &structure{}); !strings.Contains(string(reply), "get_all_databases") {
			t.Errorf("the reply is %q", reply)
		}
	})
	t.Run("who has another driver's token is not", func(t *testing.T) {
		_, environment := serve(t)
		other, _ := serve(t)
		if status, reason := dial(t, environment).greet(other.login); status != saslBad || reason != errRefused.Error() {
			t.Errorf("the greeting ends with %d, %s", status, reason)
		}
	})
	t.Run("who does not greet is not", func(t *testing.T) {
		_, environment := serve(t)
		c := dial(t, environment)
		message := call{method: "get_all_databases"}.message(messageCall, &structure{})
		if _, err := c.Write(append([]byte{0, 0, 0, byte(len(message))}, message...)); err != nil {
			t.Fatal(err)
		}
		if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil { // it would be waited for
			t.Fatal(err)
		}
		if _, err := readFrame(c); err == nil {
			t.Error("it is answered")
		}
	})
	t.Run("the token file is its owner's alone", func(t *testing.T) {
		_, environment := serve(t)
		_, token, _ := strings.Cut(environment[1], "=")
		info, err := os.Stat(token)
		if err != nil || info.Mode().Perm() != 0o600 || filepath.Base(token) != tokenFile {
			t.Errorf("%v (%v)", info, err)
		}
	})
}
