package objects

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"hearth"
)

// Limits of what is put (S3's user guide).
const (
	maxPut      = 5 << 30 // bytes of an object, or part, in one request
	maxMetadata = 2 << 10 // bytes of all names and values of metadata
)

func (h *handler) putObject(w http.ResponseWriter, r *http.Request, bucket, key string) error {
	d, err := draftOf(r)
	if err != nil {
		return err
	}
	if d.Condition, err = conditionOf(r); err != nil {
		return err
	}
	claims, err := claimsOf(r)
	if err != nil {
		return err
	}
	d.Checksum, d.Check = claims.algorithm, claims.check
	if err := checkLength(r); err != nil {
		return err
	}
	info, err := h.store.Write(r.Context(), bucket, key, d, r.Body)
	if err != nil {
		return err
	}
	header := w.Header()
	header.Set("Etag", quoted(info.ETag))
	describeEncryption(header, info.Encryption)
	describeChecksum(header, info.Checksum)
	w.WriteHeader(http.StatusOK)
	return nil
}

func checkLength(r *http.Request) error {
	switch {
	case r.ContentLength < 0:
		return faultf(missingLength, "The request has to say how long its body is, by Content-Length.")
	case r.ContentLength > maxPut:
		return faultf(entityTooLarge, "The body has %d bytes. One request takes %d at most; upload the object in parts.", r.ContentLength, int64(maxPut))
	}
	return nil
}

// keptHeaders are kept with an object, beside its content type and metadata.
var keptHeaders = []string{"Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Expires"}

// metadataPrefix begins the names of headers that mean nothing to S3.
const metadataPrefix = "x-amz-meta-"

// unkept are headers that ask for what is not there: who leaves them
// out gets what is.
var unkept = []string{
	"X-Amz-Object-Lock-Mode", "X-Amz-Object-Lock-Retain-Until-Date", "X-Amz-Object-Lock-Legal-Hold",
	"X-Amz-Server-Side-Encryption-Customer-Algorithm", "X-Amz-Website-Redirect-Location", "X-Amz-Write-Offset-Bytes",
}

// draftOf is what the headers of a request say of an object.
func draftOf(r *http.Request) (Draft, error) {
	for _, name := range unkept {
		if r.Header.Get(name) != "" {
			return Draft{}, faultf(notImplemented, "The header %s is not supported.", strings.ToLower(name))
		}
	}
	d := Draft{ContentType: r.Header.Get("Content-Type"), Headers: make(map[string]string)}
	for _, name := range keptHeaders {
		if v := r.Header.Get(name); v != "" {
			d.Headers[name] = v
		}
	}
	var size int
	for name, values := range r.Header {
		lower := strings.ToLower(name)
		if rest, ok := strings.CutPrefix(lower, metadataPrefix); ok {
			d.Headers[lower] = strings.Join(values, ",")
			size += len(rest) + len(d.Headers[lower])
		}
	}
	if size > maxMetadata {
		return Draft{}, faultf(metadataTooLarge, "The object's metadata has %d bytes; at most %d are possible.", size, maxMetadata)
	}
	for name, value := range d.Headers {
		if !utf8.ValidString(value) {
			return Draft{}, faultf(invalidArgument, "The header %s is not valid UTF-8.", strings.ToLower(name))
		}
	}
	d.Encryption = encryptionOf(r.Header)
	var err error
	d.Tags, err = tagsOf(r.Header)
	return d, err
}

// encryptionOf is what a request asks for, nil when for none.
func encryptionOf(header http.Header) *hearth.Encryption {
	switch header.Get("X-Amz-Server-Side-Encryption") {
	case "":
		return nil
	case "AES256":
		return &hearth.Encryption{Option: hearth.SSES3}
	}
	return &hearth.Encryption{Option: hearth.SSEKMS, KMSKey: header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id")}
}

// conditionOf is what has to hold for a request to change its key.
func conditionOf(r *http.Request) (Condition, error) {
	c := Condition{Match: unquoted(r.Header.Get("If-Match"))}
	switch r.Header.Get("If-None-Match") {
	case "":
	case "*":
		c.Absent = true
	default:
		return c, faultf(notImplemented, "If-None-Match takes only * where an object is written.")
	}
	return c, nil
}

func unquoted(etag string) string { return strings.Trim(etag, `"`) }

// claims are what a request says that its body adds up to. Trailers say it only
// when the body was read.
type claims struct {
	request   *http.Request
	md5       []byte
	algorithm string // of a checksum; "" is none
}

func claimsOf(r *http.Request) (claims, error) {
	c := claims{request: r}
	if _, given := r.Header["Content-Md5"]; given {
		text := r.Header.Get("Content-Md5")
		var err error
		if c.md5, err = base64.StdEncoding.DecodeString(text); err != nil || len(c.md5) != md5.Size {
			return c, faultf(invalidDigest, "Content-MD5 is %q; it has to be the base64 of 16 bytes.", text)
		}
	}
	for _, algorithm := range claimedAlgorithms(r) {
		if _, err := algorithmOf(algorithm); err != nil {
			return c, err
		}
		if c.algorithm != "" {
			return c, faultf(invalidRequest, "The body comes with several checksums; one is possible.")
		}
		c.algorithm = algorithm
	}
	named, err := algorithmOf(r.Header.Get("X-Amz-Sdk-Checksum-Algorithm"))
	switch {
	case err != nil:
		return c, err
	case c.algorithm == "":
		c.algorithm = named
	case named != "" && named != c.algorithm:
		return c, faultf(invalidRequest, "The body comes with a %s, and x-amz-sdk-checksum-algorithm says %s.", c.algorithm, named)
	}
	if value := r.Header.Get(checksumHeader(c.algorithm)); value != "" {
		err = checkSum(c.algorithm, value)
	}
	return c, err
}

// claimedAlgorithms are those of the checksums that come with a body: in its
// headers, or in the trailers that are announced.
func claimedAlgorithms(r *http.Request) []string {
	var algorithms []string
	for _, header := range []http.Header{r.Header, r.Trailer} {
		for name := range header {
			algorithm, ok := strings.CutPrefix(strings.ToUpper(name), checksumPrefix)
			if ok && !slices.Contains([]string{"ALGORITHM", "TYPE", "MODE"}, algorithm) {
				algorithms = append(algorithms, algorithm)
			}
		}
	}
	return algorithms
}

const checksumPrefix = "X-AMZ-CHECKSUM-"

// checkSum checks that a value can be the checksum of an algorithm.
func checkSum(algorithm, value string) error {
	sum, err := base64.StdEncoding.DecodeString(value)
	if size := checksums[algorithm]().Size(); err != nil || len(sum) != size {
		return faultf(invalidRequest, "The %s is %q; it has to be the base64 of %d bytes.", algorithm, value, size)
	}
	return nil
}

// algorithmOf checks the name of a checksum's algorithm; "" is none.
func algorithmOf(name string) (string, error) {
	upper := strings.ToUpper(name)
	if _, ok := checksums[upper]; !ok && name != "" {
		return "", faultf(invalidRequest, "There is no checksum %q; choose CRC64NVME, CRC32, CRC32C, SHA256 or SHA1.", name)
	}
	return upper, nil
}

// check refuses a body that is not what was claimed.
func (c claims) check(written Info) error {
	if c.md5 != nil && hex.EncodeToString(c.md5) != written.ETag {
		return faultf(badDigest, "The Content-MD5 you specified did not match what we received.")
	}
	if c.algorithm == "" {
		return nil
	}
	name := checksumHeader(c.algorithm)
	value := c.request.Header.Get(name)
	if value == "" {
		value = c.request.Trailer.Get(name)
	}
	if value == "" || value == written.Checksum.Value {
		return nil
	}
	if err := checkSum(c.algorithm, value); err != nil {
		return err
	}
	return faultf(badDigest, "The %s you specified did not match the calculated checksum.", c.algorithm)
}
