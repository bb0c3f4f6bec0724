package access

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"hearth"
)

// Purpose is what a pass is good for.
type Purpose string

// The purposes.
const (
	PurposeLink Purpose = "link" // to stand in an address, and be exchanged for the other
	PurposePage Purpose = "page" // to be a browser's cookie

	// The same for Spark's own pages of the session, where nothing can be run.
	PurposeSparkLink Purpose = "spark link"
	PurposeSparkPage Purpose = "spark page"
)

// Pass lets whoever holds it use one session in a browser, as the principal
// that it was made for.
type Pass struct {
	Purpose     Purpose
	SessionID   string
	AccessKeyID string    // of the principal
	Expires     time.Time // to the second
}

// Seal writes a pass in letters, digits, "-", "_" and one ".", so that nobody
// can change it. The key of the seal is derived from the principal's secret:
// when that is gone, so are its passes. Seal returns KindNotFound when nobody
// has the access key.
func (k *Keys) Seal(ctx context.Context, p Pass) (string, error) {
	secret, err := k.Secret(ctx, p.AccessKeyID)
	if err != nil {
		return "", err
	}
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "hearth pass", sha256.Size)
	if err != nil {
		return "", hearth.Internal(err, "deriving the key of a pass")
	}
	text := encoding.EncodeToString([]byte(p.text()))
	seal := hmac.New(sha256.New, key)
	seal.Write([]byte(text))
	return text + "." + encoding.EncodeToString(seal.Sum(nil)), nil
}

// Unseal reads a pass to a session. It returns KindDenied for one that was not
// sealed here, has another purpose or session, or has expired.
func (k *Keys) Unseal(ctx context.Context, sealed string, purpose Purpose, sessionID string) (Pass, error) {
	invalid := hearth.Errorf(hearth.KindDenied, "The link does not open this session.")
	p, ok := parsePass(sealed)
	if !ok {
		return Pass{}, invalid
	}
	again, err := k.Seal(ctx, p)
	switch {
	case hearth.KindOf(err) == hearth.KindNotFound:
		return Pass{}, invalid
	case err != nil:
		return Pass{}, err
	case subtle.ConstantTimeCompare([]byte(sealed), []byte(again)) != 1:
		return Pass{}, invalid
	case p.Purpose != purpose || p.SessionID != sessionID:
		return Pass{}, invalid
	case !time.Now().Before(p.Expires):
		return Pass{}, hearth.Errorf(hearth.KindDenied, "The link has expired.")
	}
	return p, nil
}

var encoding = base64.RawURLEncoding

func (p Pass) text() string {
	return strings.Join([]string{string(p.Purpose), p.SessionID, p.AccessKeyID, strconv.FormatInt(p.Expires.Unix(), 10)}, "\n")
}

// parsePass reads what is not known to be a pass. One text is sealed to one
// pass only: what reads the same and is written otherwise has another seal.
func parsePass(sealed string) (Pass, bool) {
	text, _, _ := strings.Cut(sealed, ".")
	decoded, err := encoding.DecodeString(text)
	if err != nil {
		return Pass{}, false
	}
	parts := strings.Split(string(decoded), "\n")
	if len(parts) != 4 {
		return Pass{}, false
	}
	expires, err := strconv.ParseInt(parts[3], 10, 64)
	if err != nil {
		return Pass{}, false
	}
	return Pass{Purpose: Purpose(parts[0]), SessionID: parts[1], AccessKeyID: parts[2], Expires: time.Unix(expires, 0)}, true
}
