package sqlite

import (
	"context"
	"database/sql"
	"math"
	"strconv"

	"hearth"
)

// before gives the row number of a cursor of a newest-first listing.
func before(l hearth.Listing, c hearth.Cursor) (int64, error) {
	place, err := l.Place(c)
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
func (s *Store) page(ctx context.Context, l hearth.Listing, limit int, query string, args []any, scan func(row) (place string, err error)) (hearth.Cursor, error) {
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
	return l.Cursor(last), nil
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
