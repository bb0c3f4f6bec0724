package athena

import (
	"strconv"

	"hearth"
	"hearth/internal/awsjson"
)

// page is where a listing goes on and how far: to the model's maximum when the
// request does not say.
func page(maxResults *int, nextToken *string, rule awsjson.Number) hearth.Page {
	p := hearth.Page{Limit: int(rule.Max), After: hearth.Cursor(value(nextToken))}
	if maxResults != nil {
		p.Limit = *maxResults
	}
	return p
}

// cut pages through a listing that is small and known as a whole. The place in
// its cursor is the number of items before the page.
func cut[T any](l hearth.Listing, all []T, p hearth.Page) ([]T, hearth.Cursor, error) {
	place, err := l.Place(p.After)
	if err != nil {
		return nil, "", err
	}
	start := 0
	if place != "" {
		if start, err = strconv.Atoi(place); err != nil || start < 0 {
			return nil, "", hearth.MalformedCursor(p.After)
		}
	}
	rest := all[min(start, len(all)):]
	if len(rest) <= p.Limit {
		return rest, "", nil
	}
	return rest[:p.Limit], l.Cursor(strconv.Itoa(start + p.Limit)), nil
}
