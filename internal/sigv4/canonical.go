package sigv4

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// canonicalRequest is the text whose hash is signed. For S3 the path is encoded
// once, for every other service a second time.
func canonicalRequest(r *http.Request, query url.Values, signedHeaders []string, payloadHash string, s3 bool) string {
	var b strings.Builder
	b.Grow(512)
	b.WriteString(r.Method)
	b.WriteByte('\n')
	b.WriteString(canonicalPath(r.URL, s3))
	b.WriteByte('\n')
	b.WriteString(canonicalQuery(query))
	b.WriteByte('\n')
	for _, name := range signedHeaders {
		b.WriteString(name)
		b.WriteByte(':')
		writeHeader(&b, r, name)
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	b.WriteString(strings.Join(signedHeaders, ";"))
	b.WriteByte('\n')
	b.WriteString(payloadHash)
	return b.String()
}

func canonicalPath(u *url.URL, s3 bool) string {
	path := u.EscapedPath()
	switch {
	case path == "":
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

// writeHeader writes a header's canonical value. net/http keeps some headers
// outside of the header map.
func writeHeader(b *strings.Builder, r *http.Request, name string) {
	values := r.Header[http.CanonicalHeaderKey(name)]
	switch {
	case name == "host":
		values = []string{host(r)}
	case name == "content-length" && r.ContentLength >= 0:
		values = []string{strconv.FormatInt(r.ContentLength, 10)}
	case name == "transfer-encoding":
		values = r.TransferEncoding
	}
	for i, value := range values {
		if i > 0 {
			b.WriteByte(',')
		}
		writeCollapsed(b, strings.TrimSpace(value))
	}
}

func host(r *http.Request) string {
	if r.Host != "" {
		return r.Host
	}
	return r.URL.Host
}

// writeCollapsed writes text with one space for each run of spaces.
func writeCollapsed(b *strings.Builder, text string) {
	if !strings.Contains(text, "  ") {
		b.WriteString(text)
		return
	}
	for i := range len(text) {
		if text[i] != ' ' || text[i-1] != ' ' { // the first byte is no space: text is trimmed
			b.WriteByte(text[i])
		}
	}
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
