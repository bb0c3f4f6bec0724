package awsjson

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Timestamp is a time on the wire: seconds since 1970 as a number, with
// milliseconds as its fraction. A string would break the SDKs of Go and
// JavaScript. The zero time is left out of structures.
type Timestamp struct{ time.Time }

// MarshalJSON implements json.Marshaler.
func (t Timestamp) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(t.UnixMilli())/1000, 'f', -1, 64), nil
}

// UnmarshalJSON implements json.Unmarshaler, for clients.
func (t *Timestamp) UnmarshalJSON(text []byte) error {
	seconds, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return fmt.Errorf("%s is not a time in seconds", text)
	}
	t.Time = time.UnixMilli(int64(math.Round(seconds * 1000)))
	return nil
}
