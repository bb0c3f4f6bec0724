package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"sync"
)

// signingKey derives the key that signs for one day, region and service.
func signingKey(secret string, c credential) []byte {
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
	return hex.EncodeToString(sum[:])
}

// maxCachedKeys bounds the cache. Only known access keys get into it, and their
// scopes change once a day, so that it is hardly ever reached.
const maxCachedKeys = 1024

// keyCache remembers derived keys: deriving one costs four hashes. The secret is
// part of the key of the cache, so a changed secret takes effect at once.
type keyCache struct {
	mu   sync.Mutex
	keys map[cachedKey][]byte
}

type cachedKey struct {
	credential
	secret string
}

func (c *keyCache) signingKey(secret string, scope credential) []byte {
	id := cachedKey{scope, secret}
	c.mu.Lock()
	defer c.mu.Unlock()
	key, found := c.keys[id]
	if !found {
		if c.keys == nil || len(c.keys) >= maxCachedKeys {
			c.keys = make(map[cachedKey][]byte)
		}
		key = signingKey(secret, scope)
		c.keys[id] = key
	}
	return key
}
