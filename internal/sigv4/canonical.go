package sigv4

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// appendCanonical appends the text whose hash is signed. For S3 the path is
// encoded once, for every other service a second time. headers are the names of
// signedHeaders with a semicolon between them.
func appendCanonical(b []byte, r *http.Request, query url.Values, headers string, signedHeaders []string, payloadHash string, s3 bool) []byte {
	b = append(b, r.Method...)
	b = append(b, '\n')
	b = append(b, canonicalPath(r.URL, s3)...)
	b = append(b, '\n')
	b = append(b, canonicalQuery(query)...)
	b = append(b, '\n')
	for _, name := range signedHeaders {
		b = append(b, name...)
		b = append(b, ':')
		b = appendHeader(b, r, name)
		b = append(b, '\n')
	}
	b = append(b, '\n')
	b = append(b, headers...)
	b = append(b, '\n')
	return append(b, payloadHash...)
}

func canonicalPath(u *url.URL, s3 bool) string {
	path := u.EscapedPath()
	switch {
	case path == "", path == "/":
		return "/"
	case !s3:
		return encode(path, true)
	}
	// Encoded once and strictly, whatever the client left plain. A slash that
	// was sent encoded stays so.
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		plain, err := url.PathUnescape(segment)
		if err != nil {
			plain = segment // cannot be: EscapedPath gives a valid encoding
		}
		segments[i] = encode(plain, false)
	}
	return strings.Join(segments, "/")
}

// canonicalQuery sorts parameters by their encoded form, as the specification
// says: "a/b" goes before "a-b".
func canonicalQuery(query url.Values) string {
	if len(query) == 0 {
		return ""
	}
	pairs := make([][2]string, 0, len(query))
	for name, values := range query {
		for _, value := range values {
			pairs = append(pairs, [2]string{encode(name, false), encode(value, false)})
		}
	}
	slices.SortFunc(pairs, func(a, b [2]string) int {
		if c := strings.Compare(a[0], b[0]); c != 0 {
			return c
		}
		return strings.Compare(a[1], b[1])
	})
	var b strings.Builder
	for i, pair := range pairs {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(pair[0])
		b.WriteByte('=')
		b.WriteString(pair[1])
	}
	return b.String()
}

// appendHeader appends a header's canonical value. net/http keeps some headers
// outside of the header map.
func appendHeader(b []byte, r *http.Request, name string) []byte {
	switch {
	case name == "host":
		return appendCollapsed(b, strings.TrimSpace(host(r)))
	case name == "content-length" && r.ContentLength >= 0:
		return strconv.AppendInt(b, r.ContentLength, 10)
	}
	values := r.Header[canonicalName(name)]
	if name == "transfer-encoding" {
		values = r.TransferEncoding
	}
	for i, value := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendCollapsed(b, strings.TrimSpace(value))
	}
	return b
}

func host(r *http.Request) string {
	if r.Host != "" {
		return r.Host
	}
	return r.URL.Host
}

// appendCollapsed appends text with one space for each run of spaces.
func appendCollapsed(b []byte, text string) []byte {
	if !strings.Contains(text, "  ") {
		return append(b, text...)
	}
	for i := range len(text) {
		if text[i] != ' ' || text[i-1] != ' ' { // the first byte is no space: text is trimmed
			b = append(b, text[i])
		}
	}
	return b
}

// usual are headers that come with most requests, in net/http's spelling. To
// spell others costs an allocation each.
var usual = []string{
	"Content-Type", "X-Amz-Content-Sha256", "X-Amz-Date", "X-Amz-Decoded-Content-Length", "X-Amz-Security-Token",
	"X-Amz-Target", "X-Amz-Trailer", "X-Amz-User-Agent", "X-Amzn-Query-Mode", "Amz-Sdk-Invocation-Id", "Amz-Sdk-Request",
}

var canonicalNames, lowerNames = func() (canonical, lower map[string]string) {
	canonical, lower = make(map[string]string), make(map[string]string)
	for _, name := range usual {
		small := strings.ToLower(name)
		canonical[small], lower[name] = name, small
	}
	return canonical, lower
}()

// canonicalName spells a header's name as net/http does.
func canonicalName(name string) string {
	if known, ok := canonicalNames[name]; ok {
		return known
	}
	return http.CanonicalHeaderKey(name)
}

// lowerName spells a header's name as signatures do.
func lowerName(name string) string {
	if known, ok := lowerNames[name]; ok {
		return known
	}
	return strings.ToLower(name)
}

// encode percent-encodes all but RFC 3986's unreserved characters.
func encode(text string, path bool) string {
	plain := func(c byte) bool {
		return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
			c == '-' || c == '_' || c == '.' || c == '~' || path && c == '/'
	}
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; plain(c) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', digits[c>>4], digits[c&15]})
		}
	}
	return b.String()
}
