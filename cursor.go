package hearth

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// Cursor is an opaque place in a listing: "" at the beginning, and after the
// last page. It belongs to the listing that gave it: elsewhere its place would
// be a wrong one, and items would be skipped without a word.
type Cursor string

// Page asks for at most Limit items, and at least one, after a cursor. Limit
// may change from page to page.
type Page struct {
	Limit int
	After Cursor
}

// MalformedCursor refuses a cursor that the listing did not give.
func MalformedCursor(c Cursor) *Error {
	return Errorf(KindInvalid, "The nextPageToken is malformed: %s", string(c))
}

// Listing gives and reads the cursors of one listing.
type Listing struct{ mark string }

// ListingOf is the listing of what a filter chooses: strings, or a struct of
// such. Each other name or filter makes another listing.
func ListingOf(name string, filter ...any) Listing {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q", name, filter))
	return Listing{hex.EncodeToString(sum[:8]) + ":"}
}

// Cursor is the cursor of a place, which is not "".
func (l Listing) Cursor(place string) Cursor {
	return Cursor(base64.RawURLEncoding.EncodeToString([]byte(l.mark + place)))
}

// Place gives the place of a cursor; "" is the beginning. It returns
// MalformedCursor for what is not a cursor of this listing.
func (l Listing) Place(c Cursor) (string, error) {
	if c == "" {
		return "", nil
	}
	text, err := base64.RawURLEncoding.DecodeString(string(c))
	place, ours := strings.CutPrefix(string(text), l.mark)
	if err != nil || !ours || place == "" || l.Cursor(place) != c {
		return "", MalformedCursor(c)
	}
	return place, nil
}
