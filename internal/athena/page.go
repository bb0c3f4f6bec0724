package athena

import (
	"encoding/base64"
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

// cut pages through a list that is small and known as a whole. Its cursor is
// the number of items before the page.
func cut[T any](all []T, p hearth.Page) ([]T, hearth.Cursor, error) {
	start := 0
	if p.After != "" {
		text, err := base64.RawURLEncoding.DecodeString(string(p.After))
		if err == nil {
			start, err = strconv.Atoi(string(text))
		}
		if err != nil || start < 0 {
			return nil, "", hearth.MalformedCursor(p.After)
		}
	}
	rest := all[min(start, len(all)):]
	if len(rest) <= p.Limit {
		return rest, "", nil
	}
	next := strconv.Itoa(start + p.Limit)
	return rest[:p.Limit], hearth.Cursor(base64.RawURLEncoding.EncodeToString([]byte(next))), nil
}
