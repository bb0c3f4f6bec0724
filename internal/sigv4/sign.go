package sigv4

import (
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Credentials are what a client signs with.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string // of temporary credentials; "" for others
}

// Sign signs a request whose body is given. It sets X-Amz-Date, for S3
// X-Amz-Content-Sha256, and Authorization; it signs the host, the content type
// and all X-Amz-* headers.
func Sign(r *http.Request, body []byte, credentials Credentials, region, service string, now time.Time) {
	c := credential{
		accessKeyID: credentials.AccessKeyID,
		day:         now.UTC().Format(dayFormat),
		region:      region,
		service:     service,
	}
	date := now.UTC().Format(timeFormat)
	payload := hashHex(body)
	r.Header.Set("X-Amz-Date", date)
	if credentials.SessionToken != "" {
		r.Header.Set("X-Amz-Security-Token", credentials.SessionToken)
	}
	if service == ServiceS3 {
		r.Header.Set("X-Amz-Content-Sha256", payload)
	}

	headers := []string{"host"}
	for name := range r.Header {
		if lower := strings.ToLower(name); lower == "content-type" || strings.HasPrefix(lower, "x-amz-") {
			headers = append(headers, lower)
		}
	}
	slices.Sort(headers)
	names := strings.Join(headers, ";")
	key := signingKey{key: derive(credentials.SecretAccessKey, c)}
	s := key.signer()
	s.canonical = appendCanonical(nil, r, r.URL.Query(), names, headers, payload, service == ServiceS3)
	s.sign(date, c.scope())
	r.Header.Set("Authorization", algorithm+" Credential="+c.accessKeyID+"/"+c.scope()+
		", SignedHeaders="+names+", Signature="+hex.EncodeToString(s.signature[:]))
}
