package metastore

import (
	"bytes"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// values draws any value of Thrift.
func values(kind byte, depth int) *rapid.Generator[value] {
	return rapid.Custom(func(t *rapid.T) value {
		kinds := []byte{typeBool, typeByte, typeDouble, typeI16, typeI32, typeI64, typeString}
		if depth > 0 {
			kinds = append(kinds, typeStruct, typeMap, typeSet, typeList)
		}
		kind := kind
		if kind == typeStop {
			kind = rapid.SampledFrom(kinds).Draw(t, "kind")
		}
		switch kind {
		case typeBool:
			return rapid.Bool().Draw(t, "bool")
		case typeByte:
			return rapid.Int8().Draw(t, "byte")
		case typeDouble:
			return rapid.Float64().Draw(t, "double")
		case typeI16:
			return rapid.Int16().Draw(t, "i16")
		case typeI32:
			return rapid.Int32().Draw(t, "i32")
		case typeI64:
			return rapid.Int64().Draw(t, "i64")
		case typeString:
			return string(rapid.SliceOf(rapid.Byte()).Draw(t, "string"))
		case typeStruct:
			s := &structure{}
			for _, id := range rapid.SliceOfNDistinct(rapid.Int16(), 0, 4, rapid.ID[int16]).Draw(t, "fields") {
				s.fields = append(s.fields, field{id, values(typeStop, depth-1).Draw(t, "value")})
			}
			return s
		case typeMap:
			m := mapping{keys: typeString, values: rapid.SampledFrom(kinds[:7]).Draw(t, "values")}
			for range rapid.IntRange(0, 3).Draw(t, "size") {
				m.entries = append(m.entries, entry{values(typeString, 0).Draw(t, "key"), values(m.values, 0).Draw(t, "value")})
			}
			return m
		}
		l := list{set: kind == typeSet, of: rapid.SampledFrom(kinds[:7]).Draw(t, "of")}
		for range rapid.IntRange(0, 3).Draw(t, "size") {
			l.items = append(l.items, values(l.of, 0).Draw(t, "item"))
		}
		return l
	})
}

func TestCodec(t *testing.T) {
	t.Run("what was written is read as it was", func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			s := values(typeStruct, 4).Draw(t, "struct").(*structure)
			written := encode(s)
			read, err := decode(written)
			if err != nil {
				t.Fatal(err)
			}
			if again := encode(read); !bytes.Equal(again, written) {
				t.Fatalf("%x became %x", written, again)
			}
		})
	})
	t.Run("what goes too deep is refused", func(t *testing.T) {
		deep := &structure{}
		for range 2 * maxDepth {
			deep = build(1, deep)
		}
		if _, err := decode(encode(deep)); err == nil || !strings.Contains(err.Error(), "deep") {
			t.Errorf("the error is %v", err)
		}
	})
	t.Run("what has too many values is refused", func(t *testing.T) {
		flags := func(n int) []byte {
			many := list{of: typeBool}
			for range n {
				many.items = append(many.items, true)
			}
			return encode(build(1, many))
		}
		if _, err := decode(flags(maxValues - 1)); err != nil { // the list is one too
			t.Error(err)
		}
		if _, err := decode(flags(maxValues)); err == nil || !strings.Contains(err.Error(), "values") {
			t.Errorf("the error is %v", err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add(encode(build(1, "name", 2, int32(7), 3, textList([]string{"a"}), 4, build(1, true))))
	f.Add([]byte{typeList, 0, 1, typeStruct, 0x7f, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, content []byte) {
		s, err := decode(content)
		if err != nil {
			return
		}
		// A bool may come as any byte, and is written as 0 or 1.
		if again, err := decode(encode(s)); err != nil || !bytes.Equal(encode(again), encode(s)) {
			t.Errorf("%x is written as %x (%v)", content, encode(s), err)
		}
	})
}

func FuzzCall(f *testing.F) {
	f.Add(call{method: "get_database", sequence: 3}.message(messageCall, build(1, "default")))
	f.Fuzz(func(t *testing.T, message []byte) {
		c, err := decodeCall(message)
		if err == nil && c.arguments == nil {
			t.Error("a call without arguments is no call")
		}
	})
}
