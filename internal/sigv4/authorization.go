package sigv4

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	algorithm   = "AWS4-HMAC-SHA256"
	terminator  = "aws4_request"
	timeFormat  = "20060102T150405Z"
	dayFormat   = "20060102"
	maxLifetime = 7 * 24 * time.Hour // of a presigned URL (S3's user guide)
)

// credential is who signed and for what.
type credential struct {
	accessKeyID, day, region, service string
}

func (c credential) scope() string {
	return c.day + "/" + c.region + "/" + c.service + "/" + terminator
}

// authorization is a signature with what a request says about it.
type authorization struct {
	credential    credential
	scope         string   // of the credential, as sent
	headers       string   // signedHeaders, as sent
	signedHeaders []string // lower case, sorted, no duplicates
	signature     [sha256.Size]byte
	date          string // as sent
	at            time.Time
	lifetime      time.Duration // of a presigned URL; zero for a signed header
}

func (a authorization) presigned() bool { return a.lifetime > 0 }

// authorizationOf finds the signature of a request: in its Authorization
// header, or in its query where presigned URLs are taken.
func authorizationOf(r *http.Request, query url.Values, presigned bool) (authorization, *Error) {
	header := r.Header["Authorization"]
	inQuery := presigned && query.Has("X-Amz-Algorithm")
	switch {
	case len(header) > 1, len(header) == 1 && inQuery:
		return authorization{}, fault(FaultIncomplete, "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter or one Authorization header should be specified.")
	case len(header) == 1:
		return fromHeader(header[0], r.Header.Get("X-Amz-Date"))
	case inQuery:
		return fromQuery(query)
	}
	return authorization{}, fault(FaultMissing, "Request is missing Authentication Token")
}

func fromHeader(header, date string) (authorization, *Error) {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(header), " ")
	if scheme != algorithm {
		return authorization{}, fault(FaultIncomplete, "Unsupported AWS 'algorithm': only "+algorithm+" is supported.")
	}
	var credential, signature, headers string
	names := make([]string, 0, 3)
	for part := range strings.SplitSeq(rest, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok || slices.Contains(names, name) {
			return authorization{}, fault(FaultIncomplete, "Authorization header has to be a list of different key=value pairs.")
		}
		names = append(names, name)
		switch name {
		case "Credential":
			credential = value
		case "Signature":
			signature = value
		case "SignedHeaders":
			headers = value
		}
	}
	var missing []string
	for _, required := range [...]struct{ name, value string }{{"Credential", credential}, {"Signature", signature}, {"SignedHeaders", headers}} {
		if required.value == "" {
			missing = append(missing, "Authorization header requires '"+required.name+"' parameter.")
		}
	}
	if date == "" {
		missing = append(missing, "Authorization header requires existence of a 'X-Amz-Date' header.")
	}
	if len(missing) > 0 {
		return authorization{}, fault(FaultIncomplete, strings.Join(missing, " "))
	}
	return parse(credential, headers, signature, date)
}

func fromQuery(query url.Values) (authorization, *Error) {
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "X-Amz-Signature"} {
		if len(query[name]) != 1 || query.Get(name) == "" {
			return authorization{}, fault(FaultIncomplete, "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters, each once.")
		}
	}
	if query.Get("X-Amz-Algorithm") != algorithm {
		return authorization{}, fault(FaultIncomplete, "X-Amz-Algorithm only supports \""+algorithm+"\".")
	}
	seconds, err := strconv.Atoi(query.Get("X-Amz-Expires"))
	lifetime := time.Duration(seconds) * time.Second
	if err != nil || seconds < 1 || lifetime > maxLifetime {
		return authorization{}, fault(FaultIncomplete, "X-Amz-Expires has to be a number of seconds from 1 to 604800.")
	}
	a, e := parse(query.Get("X-Amz-Credential"), query.Get("X-Amz-SignedHeaders"), query.Get("X-Amz-Signature"), query.Get("X-Amz-Date"))
	a.lifetime = lifetime
	return a, e
}

func parse(credentialText, headers, signature, date string) (authorization, *Error) {
	a := authorization{headers: headers, date: date, signedHeaders: strings.Split(headers, ";")}
	var id string
	id, a.scope, _ = strings.Cut(credentialText, "/")
	day, rest, _ := strings.Cut(a.scope, "/")
	region, rest, _ := strings.Cut(rest, "/")
	service, end, whole := strings.Cut(rest, "/")
	if !whole || id == "" || strings.Contains(end, "/") {
		return a, fault(FaultIncomplete, "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.")
	}
	a.credential = credential{accessKeyID: id, day: day, region: region, service: service}
	at, err := time.Parse(timeFormat, date)
	if err != nil {
		return a, fault(FaultIncomplete, "Date must be in ISO-8601 'basic format'. See http://en.wikipedia.org/wiki/ISO_8601")
	}
	a.at = at
	if !decodeSignature(&a.signature, signature) {
		return a, fault(FaultIncomplete, "Signature has to be 64 lower-case hexadecimal digits.")
	}
	if !canonicalHeaderList(a.signedHeaders) {
		return a, fault(FaultIncomplete, "SignedHeaders has to be a sorted list of lower-case header names, each once.")
	}
	switch {
	case end != terminator:
		return a, fault(FaultScope, fmt.Sprintf("Credential should be scoped with a valid terminator: '%s'.", terminator))
	case day != date[:len(dayFormat)]:
		return a, fault(FaultScope, fmt.Sprintf("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s', from '%s'.",
			day, date[:len(dayFormat)], date))
	}
	return a, nil
}

// decodeSignature reads 64 lower-case hexadecimal digits, and reports whether
// the text is that.
func decodeSignature(signature *[sha256.Size]byte, text string) bool {
	if len(text) != hex.EncodedLen(len(signature)) || text != strings.ToLower(text) {
		return false
	}
	_, err := hex.Decode(signature[:], []byte(text))
	return err == nil
}

func canonicalHeaderList(names []string) bool {
	for i, name := range names {
		if name == "" || name != strings.ToLower(name) || i > 0 && names[i-1] >= name {
			return false
		}
	}
	return true
}

// signs reports whether a header is covered by the signature.
func (a authorization) signs(name string) bool {
	_, found := slices.BinarySearch(a.signedHeaders, name)
	return found
}
