package spark

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf16"
)

// properties writes what java.util.Properties reads, in order of the keys.
func properties(values map[string]string) []byte {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(values)) {
		escape(&b, key, true)
		b.WriteByte('=')
		escape(&b, values[key], false)
		b.WriteByte('\n')
	}
	return []byte(b.String())
}

// escape leaves nothing for the reader to understand in another way: neither
// separators, nor comments, nor an encoding. Spaces end a key; in a value only
// leading ones are lost.
func escape(b *strings.Builder, text string, key bool) {
	leading := true
	for _, r := range text {
		switch {
		case r == ' ' && (key || leading):
			b.WriteString(`\ `)
		case strings.ContainsRune(`\:=#!`, r):
			b.WriteByte('\\')
			b.WriteRune(r)
		case r >= ' ' && r < 0x7f:
			b.WriteRune(r)
		default:
			for _, unit := range utf16.AppendRune(nil, r) {
				fmt.Fprintf(b, `\u%04x`, unit)
			}
		}
		leading = leading && r == ' '
	}
}
