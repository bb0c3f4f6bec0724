package hearth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"time"
)

// ConnectToken lets whoever has its text speak to the driver of one session over
// Spark Connect. The text itself is on no record.
type ConnectToken struct {
	Digest    string // DigestOf the text
	SessionID string
	Owner     string // access key id of the principal that asked for it
	CreatedAt time.Time
	// ExpiresAt is when it stops being good for new operations. For those that
	// have begun it is good as long as its session lives.
	ExpiresAt time.Time
}

// DefaultConnectTokenTTL is how long a ConnectToken begins operations. Athena's
// do for about half an hour (dbt-athena and sagemaker-studio, which ask for a new
// one two and five minutes before the end).
const DefaultConnectTokenTTL = 30 * time.Minute

// NewConnectToken makes the text of a token: 43 letters, digits, "-" and "_",
// which clients put into URLs as they are.
func NewConnectToken() string {
	var b [32]byte
	rand.Read(b[:]) // never fails; see crypto/rand
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// DigestOf is what the record has of the text of a token: its SHA-256, in
// hexadecimal. The text is random, so that it needs no salt.
func DigestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}
