package metastore

import (
	"crypto/hmac"
	"crypto/md5" // of the mechanism that Hadoop's clients have for tokens
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

// The steps of Thrift's SASL negotiation.
const (
	saslStart    = 1
	saslOK       = 2
	saslBad      = 3
	saslComplete = 5
)

const (
	mechanism = "DIGEST-MD5"
	realm     = "default" // of Hadoop's clients
	maxSASL   = 64 << 10
)

var errRefused = errors.New("the client does not have the driver's token")

// login is who may come in. A client proves with RFC 2831's digest that it
// knows the password, without sending it.
type login struct{ user, password string }

// admit negotiates until the client is known, or is refused.
func (l login) admit(conn io.ReadWriter) error {
	status, name, err := readSASL(conn)
	if err != nil {
		return err
	}
	if status != saslStart || string(name) != mechanism {
		return errors.Join(fmt.Errorf("the client wants to be known by %.20q", name), writeSASL(conn, saslBad, "only "+mechanism+" is supported"))
	}
	if _, _, err := readSASL(conn); err != nil { // an initial response, which this mechanism leaves empty
		return err
	}
	nonce := rand.Text()
	challenge := fmt.Sprintf(`realm="%s",nonce="%s",qop="auth",charset=utf-8,algorithm=md5-sess`, realm, nonce)
	if err := writeSASL(conn, saslOK, challenge); err != nil {
		return err
	}
	_, response, err := readSASL(conn)
	if err != nil {
		return err
	}
	proof, ok := l.prove(nonce, directives(string(response)))
	if !ok {
		return errors.Join(errRefused, writeSASL(conn, saslBad, errRefused.Error()))
	}
	return writeSASL(conn, saslComplete, "rspauth="+proof)
}

// prove checks a client's response and gives what proves to the client that the
// password is known here too.
func (l login) prove(nonce string, said map[string]string) (proof string, ok bool) {
	secret := md5.Sum([]byte(encoded(l.user) + ":" + realm + ":" + encoded(l.password)))
	ok = said["username"] == encoded(l.user) && said["realm"] == realm && said["nonce"] == nonce && said["authzid"] == "" &&
		(said["qop"] == "auth" || said["qop"] == "") &&
		hmac.Equal([]byte(said["response"]), []byte(digest(secret, nonce, said, "AUTHENTICATE:")))
	return digest(secret, nonce, said, ":"), ok
}

// encoded is how Hadoop's clients send what a token holds.
func encoded(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// digest is the response-value of RFC 2831, section 2.1.2.1, and with another
// purpose that of section 2.1.3.
func digest(secret [md5.Size]byte, nonce string, said map[string]string, purpose string) string {
	sum := func(of string) string {
		h := md5.Sum([]byte(of))
		return hex.EncodeToString(h[:])
	}
	key := sum(string(secret[:]) + ":" + nonce + ":" + said["cnonce"])
	return sum(strings.Join([]string{key, nonce, said["nc"], said["cnonce"], "auth", sum(purpose + said["digest-uri"])}, ":"))
}

// directives reads name=value pairs, whose values may be quoted.
func directives(text string) map[string]string {
	all := make(map[string]string)
	for text != "" {
		name, rest, found := strings.Cut(text, "=")
		if !found {
			break
		}
		var value strings.Builder
		quoted, i := false, 0
		for ; i < len(rest) && (quoted || rest[i] != ','); i++ {
			switch c := rest[i]; {
			case c == '"':
				quoted = !quoted
			case c == '\\' && quoted && i+1 < len(rest):
				i++
				value.WriteByte(rest[i])
			default:
				value.WriteByte(c)
			}
		}
		all[strings.TrimSpace(name)] = value.String()
		text = strings.TrimPrefix(rest[i:], ",")
	}
	return all
}

func readSASL(r io.Reader) (status byte, payload []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	size := binary.BigEndian.Uint32(head[1:])
	if size > maxSASL {
		return 0, nil, fmt.Errorf("a client's greeting has %d bytes", size)
	}
	payload = make([]byte, size)
	_, err = io.ReadFull(r, payload)
	return head[0], payload, err
}

func writeSASL(w io.Writer, status byte, payload string) error {
	b := binary.BigEndian.AppendUint32([]byte{status}, uint32(len(payload)))
	_, err := w.Write(append(b, payload...))
	return err
}
