package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"sync"
)

// derive makes the key that signs for one day, region and service.
func derive(secret string, c credential) []byte {
	key := []byte("AWS4" + secret)
	for _, part := range []string{c.day, c.region, c.service, terminator} {
		key = mac(key, part)
	}
	return key
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func hashHex(data []byte) string {
	sum := sha256.Sum256(data)
	return string(hex.AppendEncode(make([]byte, 0, 2*sha256.Size), sum[:])) // one allocation; EncodeToString makes two
}

// signingKey is a derived key, with signers that are not in use.
type signingKey struct {
	key  []byte
	idle sync.Pool // of *signer
}

// signer makes signatures with one key, in memory of its own, which the next
// signature is made in too.
type signer struct {
	mac       hash.Hash
	canonical []byte
	toSign    []byte
	signature [sha256.Size]byte
}

// signer has to be given back to idle.
func (k *signingKey) signer() *signer {
	if s, ok := k.idle.Get().(*signer); ok {
		return s
	}
	return &signer{mac: hmac.New(sha256.New, k.key)}
}

// sign makes the signature of the canonical request.
func (s *signer) sign(date, scope string) {
	hash := sha256.Sum256(s.canonical)
	s.toSign = appendToSign(s.toSign[:0], date, scope, hash)
	s.mac.Reset()
	s.mac.Write(s.toSign)
	s.mac.Sum(s.signature[:0])
}

func appendToSign(b []byte, date, scope string, hash [sha256.Size]byte) []byte {
	b = append(b, algorithm+"\n"...)
	b = append(b, date...)
	b = append(b, '\n')
	b = append(b, scope...)
	b = append(b, '\n')
	return hex.AppendEncode(b, hash[:])
}

// maxCachedKeys bounds the cache. Only known access keys get into it, and their
// scopes change once a day, so that it is hardly ever reached.
const maxCachedKeys = 1024

// keyCache remembers derived keys: deriving one costs four hashes. The secret is
// part of the key of the cache, so a changed secret takes effect at once.
type keyCache struct {
	mu   sync.Mutex
	keys map[cachedKey]*signingKey
}

type cachedKey struct {
	credential
	secret string
}

func (c *keyCache) signingKey(secret string, scope credential) *signingKey {
	id := cachedKey{scope, secret}
	c.mu.Lock()
	defer c.mu.Unlock()
	key, found := c.keys[id]
	if !found {
		if c.keys == nil || len(c.keys) >= maxCachedKeys {
			c.keys = make(map[cachedKey]*signingKey)
		}
		key = &signingKey{key: derive(secret, scope)}
		c.keys[id] = key
	}
	return key
}
