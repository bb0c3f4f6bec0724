package sqlite

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"time"
)

// row is what a query gives: *sql.Row or *sql.Rows.
type row interface {
	Scan(columns ...any) error
}

// micros is how a time is written. The zero time is NULL.
func micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// timeColumn reads what micros wrote.
type timeColumn time.Time

func (t *timeColumn) Scan(value any) error {
	switch value := value.(type) {
	case nil:
		*t = timeColumn{}
	case int64:
		*t = timeColumn(time.UnixMicro(value).UTC())
	default:
		return fmt.Errorf("a time column holds %T", value)
	}
	return nil
}

// durationColumn reads microseconds.
type durationColumn time.Duration

func (d *durationColumn) Scan(value any) error {
	n, ok := value.(int64)
	if !ok {
		return fmt.Errorf("a duration column holds %T", value)
	}
	*d = durationColumn(time.Duration(n) * time.Microsecond)
	return nil
}

// jsonColumn writes its value as JSON, and reads into it when it is a pointer.
// A nil pointer, slice or map is NULL. Names of members are those of the Go
// types: renaming one needs a migration.
type jsonColumn struct{ value any }

func (c jsonColumn) Value() (driver.Value, error) {
	text, err := json.Marshal(c.value)
	if err != nil || string(text) == "null" {
		return nil, err
	}
	return string(text), nil
}

func (c jsonColumn) Scan(value any) error {
	switch value := value.(type) {
	case nil:
		return nil
	case string:
		return json.Unmarshal([]byte(value), c.value)
	default:
		return fmt.Errorf("a JSON column holds %T", value)
	}
}
