package hearth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"
)

// NewID makes an id for a session, calculation or executor. Athena's ids look
// like UUIDs (clients parse them as such) without version bits: the first byte
// is random, the next five are Unix milliseconds divided by two, the rest is
// random (decoded from ids in AWS's CloudTrail samples, whose events carry the
// same times).
func NewID(now time.Time) string {
	var b [16]byte
	rand.Read(b[:]) // never fails; see crypto/rand
	halves := uint64(now.UnixMilli()) / 2
	for i := range 5 {
		b[1+i] = byte(halves >> (8 * (4 - i)))
	}
	return formatID(b)
}

func formatID(b [16]byte) string {
	s := hex.EncodeToString(b[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// coordinatorID derives the id of a session's first executor, which carries
// the session's own time as in Athena's samples.
func coordinatorID(sessionID string) string {
	sum := sha256.Sum256([]byte("coordinator of " + sessionID))
	var b [16]byte
	copy(b[:], sum[:16])
	if id, err := hex.DecodeString(strings.ReplaceAll(sessionID, "-", "")); err == nil && len(id) == len(b) {
		copy(b[1:6], id[1:6])
	}
	return formatID(b)
}
