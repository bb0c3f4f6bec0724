package awsjson

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxFailures is how many failures a refusal lists.
const maxFailures = 10

// Text is what a model demands of a string. The zero value of a member demands
// nothing.
type Text struct {
	Min, Max int // characters
	Pattern  *Pattern
	Enum     []string
}

// Pattern is a regular expression that a whole string has to match.
type Pattern struct {
	text    string
	whole   *regexp.Regexp
	without *regexp.Regexp // what no part of the string may match; nil is nothing
}

// MustPattern makes a Pattern from a model's text, which is in Java's syntax. It
// panics when that cannot be translated.
func MustPattern(text string) *Pattern {
	p := &Pattern{text: text}
	expression := strings.ReplaceAll(text, `\uD800\uDC00-\uDBFF\uDFFF`, `\x{10000}-\x{10FFFF}`)
	expression = codeUnit.ReplaceAllString(expression, `\x{$1}`)
	if parts := lookahead.FindStringSubmatch(expression); parts != nil {
		p.without, expression = regexp.MustCompile(parts[1]), parts[2]
	}
	p.whole = regexp.MustCompile(`^(?:` + expression + `)$`)
	return p
}

var (
	codeUnit  = regexp.MustCompile(`\\u([0-9A-F]{4})`)
	lookahead = regexp.MustCompile(`^\(\?!\.\*(\[.*?\])\)(.*)$`) // "none of these characters", which Go cannot say
)

func (p *Pattern) matches(value string) bool {
	return p.whole.MatchString(value) && (p.without == nil || !p.without.MatchString(value))
}

// Number is what a model demands of a number.
type Number struct{ Min, Max int64 }

// The sentences of AWS's messages.
func atMost(limit int) string {
	return "Member must have length less than or equal to " + strconv.Itoa(limit)
}

func atLeast(limit int) string {
	return "Member must have length greater than or equal to " + strconv.Itoa(limit)
}

func oneOf(enum []string) string {
	return "Member must satisfy enum value set: [" + strings.Join(enum, ", ") + "]"
}

func matching(p *Pattern) string { return "Member must satisfy regular expression pattern: " + p.text }

// broken gives the first demand that a value does not meet, "" when it meets all.
func (t Text) broken(value string) string {
	length := utf8.RuneCountInString(value)
	switch {
	case t.Max > 0 && length > t.Max:
		return atMost(t.Max)
	case length < t.Min:
		return atLeast(t.Min)
	case t.Enum != nil && !slices.Contains(t.Enum, value):
		return oneOf(t.Enum)
	case t.Pattern != nil && !t.Pattern.matches(value):
		return matching(t.Pattern)
	}
	return ""
}

// demands lists all that is demanded, for messages about parts of a collection.
func (t Text) demands() string {
	var list []string
	if t.Max > 0 {
		list = append(list, atMost(t.Max))
	}
	if t.Min > 0 {
		list = append(list, atLeast(t.Min))
	}
	if t.Enum != nil {
		list = append(list, oneOf(t.Enum))
	}
	if t.Pattern != nil {
		list = append(list, matching(t.Pattern))
	}
	return "[" + strings.Join(list, ", ") + "]"
}

// Checker collects what a request breaks of its model's constraints. Members are
// named in lower camel case, as in AWS's messages. Values are not repeated in
// messages: they may be long, or secret, or hold words that clients look for.
type Checker struct {
	path     []string
	failures []string
}

// In checks the members of a structure under the name of the member that holds it.
func (c *Checker) In(name string, check func(*Checker)) {
	c.path = append(c.path, name)
	check(c)
	c.path = c.path[:len(c.path)-1]
}

// InItem checks the members of the structure at index i of a list.
func (c *Checker) InItem(name string, i int, check func(*Checker)) {
	c.In(name+"."+strconv.Itoa(i+1)+".member", check)
}

// Required demands that a member is there.
func (c *Checker) Required(name string, there bool) {
	if !there {
		c.fail("Value null", name, "Member must not be null")
	}
}

// Text checks a string that may be absent.
func (c *Checker) Text(name string, value *string, demand Text) {
	if value == nil {
		return
	}
	if broken := demand.broken(*value); broken != "" {
		c.fail("Value", name, broken)
	}
}

// Integer checks a number that may be absent.
func (c *Checker) Integer(name string, value *int, demand Number) {
	if value != nil {
		c.Long(name, new(int64(*value)), demand)
	}
}

// Long checks a number that may be absent.
func (c *Checker) Long(name string, value *int64, demand Number) {
	switch {
	case value == nil:
	case *value > demand.Max:
		c.fail("Value", name, "Member must have value less than or equal to "+strconv.FormatInt(demand.Max, 10))
	case *value < demand.Min:
		c.fail("Value", name, "Member must have value greater than or equal to "+strconv.FormatInt(demand.Min, 10))
	}
}

// Items checks the strings of a list.
func (c *Checker) Items(name string, values []string, demand Text) {
	for _, value := range values {
		if demand.broken(value) != "" {
			c.fail("Value", name, "Member must satisfy constraint: "+demand.demands())
			return
		}
	}
}

// Keys checks the keys of a map.
func (c *Checker) Keys(name string, values map[string]string, demand Text) {
	for key := range values {
		if demand.broken(key) != "" {
			c.fail("Value", name, "Map keys must satisfy constraint: "+demand.demands())
			return
		}
	}
}

// Values checks the values of a map.
func (c *Checker) Values(name string, values map[string]string, demand Text) {
	for _, value := range values {
		if demand.broken(value) != "" {
			c.fail("Value", name, "Map value must satisfy constraint: "+demand.demands())
			return
		}
	}
}

func (c *Checker) fail(what, name, constraint string) {
	if len(c.failures) == maxFailures {
		return
	}
	path := strings.Join(append(slices.Clone(c.path), name), ".")
	c.failures = append(c.failures, fmt.Sprintf("%s at '%s' failed to satisfy constraint: %s", what, path, constraint))
}

// Message is what is wrong with the request in AWS's words; "" when nothing is.
func (c *Checker) Message() string {
	switch n := len(c.failures); n {
	case 0:
		return ""
	case 1:
		return "1 validation error detected: " + c.failures[0]
	default:
		return fmt.Sprintf("%d validation errors detected: %s", n, strings.Join(c.failures, "; "))
	}
}
