package sigv4

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Parameters of a URL that is presigned with Signature Version 2. boto3 and the
// AWS CLI make such URLs for us-east-1 unless they are told otherwise (measured
// with boto3 1.43), and S3 takes them. Nothing else of version 2 is taken.
const (
	keyParameter       = "AWSAccessKeyId"
	expiresParameter   = "Expires"
	signatureParameter = "Signature"
	amzPrefix          = "x-amz-"
)

// resources are the parameters that version 2 signs, beside x-amz-* ones (S3's
// user guide, "Signing and authenticating REST requests").
var resources = []string{
	"accelerate", "acl", "analytics", "cors", "defaultObjectAcl", "delete", "inventory", "lifecycle", "location",
	"logging", "metrics", "notification", "partNumber", "policy", "replication", "requestPayment",
	"response-cache-control", "response-content-disposition", "response-content-encoding",
	"response-content-language", "response-content-type", "response-expires", "restore", "select", "select-type",
	"tagging", "torrent", "uploadId", "uploads", "versionId", "versioning", "versions", "website",
}

// verifyVersion2 is Verify for such a URL. What it signs as headers and carries
// in its query become headers of the request.
func (v *Verifier) verifyVersion2(r *http.Request, query url.Values) (Identity, error) {
	for _, name := range []string{keyParameter, expiresParameter, signatureParameter} {
		if len(query[name]) != 1 || query.Get(name) == "" {
			return Identity{}, fault(FaultIncomplete, "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters, each once.")
		}
	}
	expires, err := strconv.ParseInt(query.Get(expiresParameter), 10, 64)
	if err != nil {
		return Identity{}, fault(FaultIncomplete, "Expires has to be a time in seconds since 1970.")
	}
	if v.now().After(time.Unix(expires, 0)) {
		return Identity{}, fault(FaultExpired, "Request has expired")
	}
	header := headersOf(r, query)
	declared := cmp.Or(header.Get("X-Amz-Content-Sha256"), unsignedPayload)
	if strings.HasPrefix(declared, streaming) {
		return Identity{}, fault(FaultStreamingPayload, "A URL that is presigned with version 2 takes no body in chunks. Send the body in one piece.")
	}
	identity := Identity{AccessKeyID: query.Get(keyParameter), Region: v.Region, SessionToken: header.Get("X-Amz-Security-Token")}
	secret, err := v.secretOf(r, identity)
	if err != nil {
		return Identity{}, err
	}
	toSign := version2ToSign(r, query, header)
	h := hmac.New(sha1.New, []byte(secret))
	h.Write([]byte(toSign))
	if !hmac.Equal([]byte(base64.StdEncoding.EncodeToString(h.Sum(nil))), []byte(query.Get(signatureParameter))) {
		refusal := mismatch()
		refusal.StringToSign = toSign
		return Identity{}, refusal
	}
	r.Header = header
	if refusal := stream(r, declared, nil); refusal != nil {
		return Identity{}, refusal
	}
	return identity, nil
}

// headersOf are the request's headers with those that its URL carries.
func headersOf(r *http.Request, query url.Values) http.Header {
	header := r.Header.Clone()
	for name, values := range query {
		lower := strings.ToLower(name)
		if strings.HasPrefix(lower, amzPrefix) || header.Get(name) == "" && (lower == "content-type" || lower == "content-md5") {
			header[http.CanonicalHeaderKey(name)] = slices.Concat(header.Values(name), values)
		}
	}
	return header
}

func version2ToSign(r *http.Request, query url.Values, header http.Header) string {
	var b strings.Builder
	for _, line := range []string{r.Method, header.Get("Content-Md5"), header.Get("Content-Type"), query.Get(expiresParameter)} {
		b.WriteString(line + "\n")
	}
	var signed []string
	for name, values := range header {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, amzPrefix) {
			signed = append(signed, lower+":"+strings.Join(values, ",")+"\n")
		}
	}
	slices.Sort(signed)
	b.WriteString(strings.Join(signed, ""))
	path := r.URL.EscapedPath()
	b.WriteString(path)
	if len(path) > 1 && strings.Count(path, "/") == 1 { // a bucket is its name and the path "/"
		b.WriteByte('/')
	}
	separator := "?"
	for _, name := range resources {
		for _, value := range query[name] {
			b.WriteString(separator + name)
			if value != "" {
				b.WriteString("=" + value)
			}
			separator = "&"
		}
	}
	return b.String()
}
