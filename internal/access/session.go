package access

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base32"
	"strings"

	"hearth"
)

// SessionKey is what a session signs its S3 requests with: temporary
// credentials, as AWS calls them. They are good as long as the session lives.
type SessionKey struct {
	AccessKeyID     string // ASIA and 16 upper-case letters and digits, as AWS's are
	SecretAccessKey string // 40 upper-case letters and digits
	SessionToken    string // names the session, and is sealed
}

const temporaryPrefix = "ASIA"

// SessionKey gives the key of a session, always the same one: all of it is
// derived from the root key, so that it is stored nowhere and is good after a
// restart. When the root key is gone, so are the sessions' keys.
func (k *Keys) SessionKey(sessionID string) SessionKey {
	derived := hmac.New(sha512.New, k.sessions)
	derived.Write([]byte(sessionID))
	b := derived.Sum(nil)
	return SessionKey{
		AccessKeyID:     temporaryPrefix + base32.StdEncoding.EncodeToString(b[:10]),
		SecretAccessKey: base32.StdEncoding.EncodeToString(b[10:35]),
		SessionToken:    encoding.EncodeToString([]byte(sessionID)) + "." + encoding.EncodeToString(b[35:]),
	}
}

// sessionOf gives the session that a key and its token are of.
func (k *Keys) sessionOf(accessKeyID, token string) (sessionID string, key SessionKey, ok bool) {
	named, _, _ := strings.Cut(token, ".")
	id, err := encoding.DecodeString(named)
	if err != nil {
		return "", SessionKey{}, false
	}
	key = k.SessionKey(string(id))
	ok = subtle.ConstantTimeCompare([]byte(token), []byte(key.SessionToken)) == 1 && accessKeyID == key.AccessKeyID
	return string(id), key, ok
}

// sessionsSecret is what the keys of sessions are derived from.
func sessionsSecret(root Key) ([]byte, error) {
	return hkdf.Key(sha256.New, []byte(root.SecretAccessKey), nil, "hearth session keys", sha256.Size)
}

// SessionKeys are the keys of a server and those of its sessions. They are for
// S3 and for nothing else: a session's code is not whoever started the session.
type SessionKeys struct {
	*Keys
	// Session gives a session that is on record, or KindNotFound.
	Session func(ctx context.Context, id string) (hearth.Session, error)
}

// Secret gives the secret of an access key, which is a session's when a token
// comes with it. It returns KindNotFound when nobody has that id, and KindDenied
// when the token does not belong to it.
func (k SessionKeys) Secret(ctx context.Context, accessKeyID, token string) (string, error) {
	if !strings.HasPrefix(accessKeyID, temporaryPrefix) {
		return k.Keys.Secret(ctx, accessKeyID)
	}
	_, key, ok := k.sessionOf(accessKeyID, token)
	if !ok {
		return "", hearth.Errorf(hearth.KindDenied, "The provided token is malformed or otherwise invalid.")
	}
	return key.SecretAccessKey, nil
}

// Principal tells who signs with an access key, in an account. It returns
// KindDenied when that is a session which has ended, or is no longer on record.
func (k SessionKeys) Principal(ctx context.Context, accessKeyID, token, account string) (Principal, error) {
	if !strings.HasPrefix(accessKeyID, temporaryPrefix) {
		return k.Keys.Principal(accessKeyID, account), nil
	}
	id, _, _ := k.sessionOf(accessKeyID, token)
	session, err := k.Session(ctx, id)
	if hearth.KindOf(err) == hearth.KindNotFound || err == nil && session.State.Ended() {
		return Principal{}, hearth.Errorf(hearth.KindDenied, "The provided token has expired: session %s has ended.", id)
	}
	if err != nil {
		return Principal{}, err
	}
	return Principal{
		AccessKeyID: accessKeyID,
		ARN:         "arn:aws:sts::" + account + ":assumed-role/hearth/" + id,
		SessionID:   id,
		WorkGroup:   session.WorkGroup,
	}, nil
}
