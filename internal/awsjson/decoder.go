package awsjson

import (
	"bytes"
	"encoding/json"
	"iter"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth is how deep a body may be nested. No model comes near it.
const maxDepth = 64

// Decoder reads the values of one JSON document in the order in which they
// stand there. The first value of a wrong type ends the reading: from then on
// every method returns nothing, and Err says what was wrong.
type Decoder struct {
	data []byte
	pos  int
	err  *Error
}

// NewDecoder makes a decoder of an object. Anything else than one well-formed
// object is refused without a message, as AWS does.
func NewDecoder(data []byte) (*Decoder, *Error) {
	d := &Decoder{data: data}
	if !json.Valid(data) || !utf8.Valid(data) || tooDeep(data) || d.peek() != '{' {
		return nil, serialization("")
	}
	return d, nil
}

// Err is the first type error, or nil.
func (d *Decoder) Err() *Error { return d.err }

// tooDeep looks at brackets only: the document is known to be well-formed.
func tooDeep(data []byte) bool {
	depth := 0
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '{', '[':
			if depth++; depth > maxDepth {
				return true
			}
		case '}', ']':
			depth--
		case '"':
			i = endOfString(data, i)
		}
	}
	return false
}

// endOfString gives the position of the quote that closes the string at i.
func endOfString(data []byte, i int) int {
	for i++; data[i] != '"'; i++ {
		if data[i] == '\\' {
			i++
		}
	}
	return i
}

// peek gives the next byte that is no space.
func (d *Decoder) peek() byte {
	for d.pos < len(d.data) {
		switch c := d.data[d.pos]; c {
		case ' ', '\t', '\r', '\n', ',', ':':
			d.pos++
		default:
			return c
		}
	}
	return 0
}

// Null consumes a null and reports whether there was one. A null member is the
// same as an absent one.
func (d *Decoder) Null() bool {
	if d.err == nil && d.peek() == 'n' {
		d.pos += len("null")
		return true
	}
	return d.err != nil
}

// Structure gives the names of an object's members; the caller reads, or
// skips, the value after each name.
func (d *Decoder) Structure() iter.Seq[string] { return d.members("Expected null") }

func (d *Decoder) members(unexpected string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if !d.open('{', unexpected) {
			return
		}
		for d.err == nil && d.peek() != '}' {
			if !yield(d.text()) {
				return
			}
		}
		d.pos++
	}
}

// open consumes the bracket that opens an object or a list.
func (d *Decoder) open(bracket byte, unexpected string) bool {
	if d.err != nil {
		return false
	}
	switch c := d.peek(); {
	case c == bracket:
		d.pos++
		return true
	case c == '[' || c == '{':
		d.fail(unexpectedStart(c))
	default:
		d.fail(unexpected)
	}
	return false
}

// DecodeMap reads a map. Entries that are null are left out; a null map is nil.
func DecodeMap[T any](d *Decoder, value func(*Decoder) *T) map[string]T {
	if d.Null() {
		return nil
	}
	values := make(map[string]T)
	for name := range d.members("Expected map or null") {
		if v := value(d); v != nil {
			values[name] = *v
		}
	}
	return values
}

// DecodeList reads a list. Items that are null are left out; a null list is nil.
func DecodeList[T any](d *Decoder, item func(*Decoder) *T) []T {
	if d.Null() || !d.open('[', "Expected list or null") {
		return nil
	}
	items := []T{}
	for d.err == nil && d.peek() != ']' {
		if v := item(d); v != nil {
			items = append(items, *v)
		}
	}
	d.pos++
	return items
}

// ListOf makes a list something that DecodeMap and DecodeList can hold.
func ListOf[T any](item func(*Decoder) *T) func(*Decoder) *[]T {
	return func(d *Decoder) *[]T {
		if list := DecodeList(d, item); list != nil {
			return &list
		}
		return nil
	}
}

// String reads a string, or null as nil.
func (d *Decoder) String() *string {
	if d.Null() {
		return nil
	}
	if d.peek() != '"' {
		d.mismatch("a String")
		return nil
	}
	text := d.text()
	return &text
}

// Integer reads a number, or null as nil. A fraction is cut off, and what is
// too large becomes the largest, as AWS's parsers do.
func (d *Decoder) Integer() *int {
	v := d.number("an Integer", math.MinInt32, math.MaxInt32)
	if v == nil {
		return nil
	}
	return new(int(*v))
}

// Long reads a number of 64 bits in the manner of Integer.
func (d *Decoder) Long() *int64 { return d.number("a Long", math.MinInt64, math.MaxInt64) }

func (d *Decoder) number(kind string, least, most int64) *int64 {
	if d.Null() {
		return nil
	}
	if c := d.peek(); c != '-' && (c < '0' || c > '9') {
		d.mismatch(kind)
		return nil
	}
	start := d.pos
	d.Skip()
	literal := string(d.data[start:d.pos])
	n, err := strconv.ParseInt(literal, 10, 64)
	if err != nil {
		n = truncate(literal)
	}
	return new(min(max(n, least), most))
}

// truncate is for numbers with a fraction or an exponent, and for huge ones.
func truncate(literal string) int64 {
	f, _ := strconv.ParseFloat(literal, 64) // out of range gives an infinity, which is right
	switch {
	case f >= math.MaxInt64:
		return math.MaxInt64
	case f <= math.MinInt64:
		return math.MinInt64
	}
	return int64(f)
}

// Boolean reads true or false, or null as nil.
func (d *Decoder) Boolean() *bool {
	if d.Null() {
		return nil
	}
	switch d.peek() {
	case 't':
		d.pos += len("true")
		return new(true)
	case 'f':
		d.pos += len("false")
		return new(false)
	}
	d.mismatch("a Boolean")
	return nil
}

// Skip passes over one value of any type.
func (d *Decoder) Skip() {
	if d.err != nil {
		return
	}
	switch d.peek() {
	case '"':
		d.pos = endOfString(d.data, d.pos) + 1
	case '{', '[':
		d.skipNested()
	default:
		for d.pos < len(d.data) && !strings.ContainsRune(",:]} \t\r\n", rune(d.data[d.pos])) {
			d.pos++
		}
	}
}

func (d *Decoder) skipNested() {
	for depth := 0; ; d.pos++ {
		switch d.data[d.pos] {
		case '"':
			d.pos = endOfString(d.data, d.pos)
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				d.pos++
				return
			}
		}
	}
}

// text reads the string that is next.
func (d *Decoder) text() string {
	d.peek()
	start := d.pos
	d.pos = endOfString(d.data, start) + 1
	quoted := d.data[start:d.pos]
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1])
	}
	var text string
	json.Unmarshal(quoted, &text) // cannot fail: the document is well-formed
	return text
}

func (d *Decoder) fail(message string) {
	if d.err == nil {
		d.err = serialization(message)
	}
}

// mismatch refuses the next value, which is not of the kind that the model has.
// The sentences are those of AWS's parser.
func (d *Decoder) mismatch(kind string) {
	switch c := d.peek(); c {
	case '[', '{':
		d.fail(unexpectedStart(c))
	case '"':
		d.fail("STRING_VALUE can not be converted to " + kind)
	case 't':
		d.fail("TRUE_VALUE can not be converted to " + kind)
	case 'f':
		d.fail("FALSE_VALUE can not be converted to " + kind)
	default:
		d.fail("NUMBER_VALUE can not be converted to " + kind)
	}
}

func unexpectedStart(bracket byte) string {
	if bracket == '[' {
		return "Start of list found where not expected"
	}
	return "Start of structure or map found where not expected."
}
