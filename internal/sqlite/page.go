package sqlite

import (
	"context"
	"database/sql"
	"encoding/base64"
	"math"
	"strconv"
	"strings"

	"hearth"
)

// A cursor is the listing's name and the place of the last item that was given,
// in base64. The name keeps the cursor of one listing out of another.
type listing string

const (
	listingWorkGroups   listing = "workgroups"
	listingSessions     listing = "sessions"
	listingCalculations listing = "calculations"
	listingNotebooks    listing = "notebooks"
)

func (l listing) cursor(place string) hearth.Cursor {
	return hearth.Cursor(base64.RawURLEncoding.EncodeToString([]byte(string(l) + ":" + place)))
}

// after gives the place of a cursor; "" is the beginning.
func (l listing) after(c hearth.Cursor) (string, error) {
	if c == "" {
		return "", nil
	}
	text, err := base64.RawURLEncoding.DecodeString(string(c))
	place, ours := strings.CutPrefix(string(text), string(l)+":")
	if err != nil || !ours || place == "" || l.cursor(place) != c {
		return "", hearth.MalformedCursor(c)
	}
	return place, nil
}

// before gives the row number of a cursor of a newest-first listing.
func (l listing) before(c hearth.Cursor) (int64, error) {
	place, err := l.after(c)
	if place == "" {
		return math.MaxInt64, err
	}
	number, err := strconv.ParseInt(place, 10, 64)
	if err != nil {
		return 0, hearth.MalformedCursor(c)
	}
	return number, nil
}

// page runs a listing's query, whose last parameter is its LIMIT, and asks for
// one row more than the page has, to know whether it is the last.
func (s *Store) page(ctx context.Context, l listing, limit int, query string, args []any, scan func(row) (place string, err error)) (hearth.Cursor, error) {
	limit = max(1, limit)
	last, count := "", 0
	more := false
	err := s.each(ctx, query, append(args, limit+1), func(r row) error {
		if count == limit {
			more = true
			return nil
		}
		count++
		var err error
		last, err = scan(r)
		return err
	})
	if err != nil || !more {
		return "", err
	}
	return l.cursor(last), nil
}

// each calls scan with every row of a query.
func (s *Store) each(ctx context.Context, query string, args []any, scan func(row) error) error {
	rows, err := s.read.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	return eachRow(rows, scan)
}

func eachRow(rows *sql.Rows, scan func(row) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
