package objects

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"net/http"
	"strings"
)

// Checksum is what a client says, or asks for, that the bytes of an object add
// up to.
type Checksum struct {
	Algorithm string `json:"algorithm"` // a name of checksums
	// Value is the sum's bytes, highest first, in base64. That of an object in
	// several parts may be the sum of the parts' sums, with "-" and their number.
	Value string `json:"value"`
}

// whole tells whether the checksum is of all bytes in their order.
func (c Checksum) whole() bool { return !strings.Contains(c.Value, "-") }

// kind is S3's name for what the checksum is of.
func (c Checksum) kind() string {
	if c.whole() {
		return wholeChecksum
	}
	return composedChecksum
}

const (
	wholeChecksum    = "FULL_OBJECT"
	composedChecksum = "COMPOSITE"
)

// checksumHeader is the header that has checksums of an algorithm.
func checksumHeader(algorithm string) string {
	return http.CanonicalHeaderKey("X-Amz-Checksum-" + algorithm)
}

// checksums are S3's, by the names that it has for them.
var checksums = map[string]func() hash.Hash{
	"CRC32":     func() hash.Hash { return crc32.NewIEEE() },
	"CRC32C":    func() hash.Hash { return crc32.New(castagnoli) },
	"CRC64NVME": func() hash.Hash { return crc64.New(nvme) },
	"SHA1":      sha1.New,
	"SHA256":    sha256.New,
}

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	nvme       = crc64.MakeTable(0x9a6c9329ac4bc9b5)
)

// sumOf gives the checksum of what was written to a hash of the algorithm.
func sumOf(algorithm string, h hash.Hash) *Checksum {
	return &Checksum{algorithm, base64.StdEncoding.EncodeToString(h.Sum(nil))}
}

// compose gives the checksum of an object from those of its parts, nil when one
// has none.
func compose(algorithm string, parts []Part) *Checksum {
	h := checksums[algorithm]()
	for _, p := range parts {
		if p.Checksum == nil || p.Checksum.Algorithm != algorithm {
			return nil
		}
		sum, err := base64.StdEncoding.DecodeString(p.Checksum.Value)
		if err != nil {
			return nil
		}
		h.Write(sum)
	}
	c := sumOf(algorithm, h)
	c.Value += fmt.Sprintf("-%d", len(parts))
	return c
}
