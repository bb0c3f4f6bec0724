package metastore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Types of Thrift's binary protocol.
const (
	typeStop   = 0
	typeBool   = 2
	typeByte   = 3
	typeDouble = 4
	typeI16    = 6
	typeI32    = 8
	typeI64    = 10
	typeString = 11
	typeStruct = 12
	typeMap    = 13
	typeSet    = 14
	typeList   = 15
)

// A value of Thrift is a bool, int8, int16, int32, int64, float64, string,
// *structure, list or mapping.
type value any

// structure is a Thrift struct: its fields in the order in which they came.
type structure struct{ fields []field }

type field struct {
	id    int16
	value value
}

// list is a Thrift list or set.
type list struct {
	set   bool
	of    byte
	items []value
}

// mapping is a Thrift map, in the order in which it came.
type mapping struct {
	keys, values byte
	entries      []entry
}

type entry struct{ key, value value }

// build makes a struct of field ids and values in turn.
func build(pairs ...any) *structure {
	s := &structure{}
	for i := 0; i < len(pairs); i += 2 {
		s.set(int16(pairs[i].(int)), pairs[i+1])
	}
	return s
}

// get gives the value of a field, nil when there is none. So does a nil struct.
func (s *structure) get(id int16) value {
	if s != nil {
		for _, f := range s.fields {
			if f.id == id {
				return f.value
			}
		}
	}
	return nil
}

// set replaces a field, or adds it. A nil value removes it.
func (s *structure) set(id int16, v value) {
	kept := s.fields[:0:0]
	for _, f := range s.fields {
		if f.id != id {
			kept = append(kept, f)
		}
	}
	if v != nil {
		kept = append(kept, field{id, v})
	}
	s.fields = kept
}

// text gives a string, "" when there is none.
func (s *structure) text(id int16) string { return valueOr[string](s.get(id)) }

// flag gives a bool, false when there is none.
func (s *structure) flag(id int16) bool { return valueOr[bool](s.get(id)) }

// sub gives a struct, nil when there is none.
func (s *structure) sub(id int16) *structure { return valueOr[*structure](s.get(id)) }

// structs gives the structs of a list.
func (s *structure) structs(id int16) []*structure {
	return itemsOf[*structure](s.get(id))
}

// texts gives the strings of a list.
func (s *structure) texts(id int16) []string { return itemsOf[string](s.get(id)) }

// dictionary gives a map of strings, which is empty when there is none.
func (s *structure) dictionary(id int16) map[string]string {
	d := make(map[string]string)
	for _, e := range valueOr[mapping](s.get(id)).entries {
		d[valueOr[string](e.key)] = valueOr[string](e.value)
	}
	return d
}

// put sets one entry of a map of strings.
func (s *structure) put(id int16, key, text string) {
	m := mapping{keys: typeString, values: typeString}
	for _, e := range valueOr[mapping](s.get(id)).entries {
		if e.key != key {
			m.entries = append(m.entries, e)
		}
	}
	m.entries = append(m.entries, entry{key, text})
	s.set(id, m)
}

func valueOr[T any](v value) T {
	t, _ := v.(T)
	return t
}

func itemsOf[T any](v value) []T {
	var all []T
	for _, item := range valueOr[list](v).items {
		if t, ok := item.(T); ok {
			all = append(all, t)
		}
	}
	return all
}

func textList(texts []string) list {
	l := list{of: typeString}
	for _, t := range texts {
		l.items = append(l.items, t)
	}
	return l
}

func structList(structs []*structure) list {
	l := list{of: typeStruct}
	for _, s := range structs {
		l.items = append(l.items, s)
	}
	return l
}

// maxDepth is how deep structs and collections may be in each other. A table's
// go four deep.
const maxDepth = 32

// maxValues is how many values a message may have, of which each takes more
// memory than its bytes. Columns of a table have ten bytes and more
// for a value, so that maxMessage comes first.
const maxValues = 2 << 20

var errShort = errors.New("it ends too early")

// reader reads the binary protocol. Its first error stays.
type reader struct {
	rest   []byte
	depth  int
	values int // read until now
	err    error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.rest = nil
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.rest) {
		r.fail(errShort)
		return make([]byte, max(0, min(n, 8)))
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *reader) byte() byte   { return r.take(1)[0] }
func (r *reader) i16() int16   { return int16(binary.BigEndian.Uint16(r.take(2))) }
func (r *reader) i32() int32   { return int32(binary.BigEndian.Uint32(r.take(4))) }
func (r *reader) i64() int64   { return int64(binary.BigEndian.Uint64(r.take(8))) }
func (r *reader) text() string { return string(r.take(int(r.i32()))) }

// count reads the size of a collection, of which each item takes a byte at
// least.
func (r *reader) count() int {
	n := int(r.i32())
	if n < 0 || n > len(r.rest) {
		r.fail(errShort)
		return 0
	}
	return n
}

func (r *reader) value(kind byte) value {
	r.depth++
	defer func() { r.depth-- }()
	if r.depth > maxDepth {
		r.fail(fmt.Errorf("it is more than %d deep", maxDepth))
		return nil
	}
	if r.values++; r.values > maxValues {
		r.fail(fmt.Errorf("it has more than %d values", maxValues))
		return nil
	}
	switch kind {
	case typeBool:
		return r.byte() != 0
	case typeByte:
		return int8(r.byte())
	case typeDouble:
		return math.Float64frombits(uint64(r.i64()))
	case typeI16:
		return r.i16()
	case typeI32:
		return r.i32()
	case typeI64:
		return r.i64()
	case typeString:
		return r.text()
	case typeStruct:
		return r.structure()
	case typeMap:
		m := mapping{keys: r.byte(), values: r.byte()}
		for n := r.count(); n > 0 && r.err == nil; n-- {
			m.entries = append(m.entries, entry{r.value(m.keys), r.value(m.values)})
		}
		return m
	case typeSet, typeList:
		l := list{set: kind == typeSet, of: r.byte()}
		for n := r.count(); n > 0 && r.err == nil; n-- {
			l.items = append(l.items, r.value(l.of))
		}
		return l
	}
	r.fail(fmt.Errorf("%d is no type", kind))
	return nil
}

func (r *reader) structure() *structure {
	s := &structure{}
	for r.err == nil {
		kind := r.byte()
		if kind == typeStop {
			break
		}
		id := r.i16()
		s.fields = append(s.fields, field{id, r.value(kind)})
	}
	return s
}

// decode reads what encode wrote.
func decode(content []byte) (*structure, error) {
	r := &reader{rest: content}
	s := r.structure()
	if r.err == nil && len(r.rest) > 0 {
		r.fail(errors.New("there is something behind its end"))
	}
	return s, r.err
}

// encode writes a struct in the binary protocol.
func encode(s *structure) []byte { return appendValue(nil, s) }

func kindOf(v value) byte {
	switch v := v.(type) {
	case bool:
		return typeBool
	case int8:
		return typeByte
	case float64:
		return typeDouble
	case int16:
		return typeI16
	case int32:
		return typeI32
	case int64:
		return typeI64
	case string:
		return typeString
	case *structure:
		return typeStruct
	case mapping:
		return typeMap
	case list:
		if v.set {
			return typeSet
		}
		return typeList
	}
	panic(fmt.Sprintf("%T is no value of Thrift", v))
}

func appendValue(b []byte, v value) []byte {
	order := binary.BigEndian
	switch v := v.(type) {
	case bool:
		if v {
			return append(b, 1)
		}
		return append(b, 0)
	case int8:
		return append(b, byte(v))
	case float64:
		return order.AppendUint64(b, math.Float64bits(v))
	case int16:
		return order.AppendUint16(b, uint16(v))
	case int32:
		return order.AppendUint32(b, uint32(v))
	case int64:
		return order.AppendUint64(b, uint64(v))
	case string:
		return append(order.AppendUint32(b, uint32(len(v))), v...)
	case *structure:
		for _, f := range v.fields {
			b = order.AppendUint16(append(b, kindOf(f.value)), uint16(f.id))
			b = appendValue(b, f.value)
		}
		return append(b, typeStop)
	case mapping:
		b = order.AppendUint32(append(b, v.keys, v.values), uint32(len(v.entries)))
		for _, e := range v.entries {
			b = appendValue(appendValue(b, e.key), e.value)
		}
		return b
	case list:
		b = order.AppendUint32(append(b, v.of), uint32(len(v.items)))
		for _, item := range v.items {
			b = appendValue(b, item)
		}
		return b
	}
	panic(fmt.Sprintf("%T is no value of Thrift", v))
}
