package sigv4

import (
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
	signedHeaders []string // lower case, sorted, no duplicates
	signature     string   // 64 lower-case hexadecimal digits
	date          string   // as sent
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
	parts := make(map[string]string, 3)
	for part := range strings.SplitSeq(rest, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if _, twice := parts[name]; !ok || twice {
			return authorization{}, fault(FaultIncomplete, "Authorization header has to be a list of different key=value pairs.")
		}
		parts[name] = value
	}
	var missing []string
	for _, name := range []string{"Credential", "Signature", "SignedHeaders"} {
		if parts[name] == "" {
			missing = append(missing, "Authorization header requires '"+name+"' parameter.")
		}
	}
	if date == "" {
		missing = append(missing, "Authorization header requires existence of a 'X-Amz-Date' header.")
	}
	if len(missing) > 0 {
		return authorization{}, fault(FaultIncomplete, strings.Join(missing, " "))
	}
	return parse(parts["Credential"], parts["SignedHeaders"], parts["Signature"], date)
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
	a := authorization{signature: signature, date: date, signedHeaders: strings.Split(headers, ";")}
	scope := strings.Split(credentialText, "/")
	if len(scope) != 5 || scope[0] == "" {
		return a, fault(FaultIncomplete, "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.")
	}
	a.credential = credential{accessKeyID: scope[0], day: scope[1], region: scope[2], service: scope[3]}
	at, err := time.Parse(timeFormat, date)
	if err != nil {
		return a, fault(FaultIncomplete, "Date must be in ISO-8601 'basic format'. See http://en.wikipedia.org/wiki/ISO_8601")
	}
	a.at = at
	if raw, err := hex.DecodeString(signature); err != nil || len(raw) != 32 || signature != strings.ToLower(signature) {
		return a, fault(FaultIncomplete, "Signature has to be 64 lower-case hexadecimal digits.")
	}
	if !canonicalHeaderList(a.signedHeaders) {
		return a, fault(FaultIncomplete, "SignedHeaders has to be a sorted list of lower-case header names, each once.")
	}
	switch {
	case scope[4] != terminator:
		return a, fault(FaultScope, fmt.Sprintf("Credential should be scoped with a valid terminator: '%s'.", terminator))
	case a.credential.day != at.Format(dayFormat):
		return a, fault(FaultScope, fmt.Sprintf("Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '%s' != '%s', from '%s'.",
			a.credential.day, at.Format(dayFormat), date))
	}
	return a, nil
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
