package metastore

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"
)

// truth is that of SQL: a comparison that cannot be made is neither yes nor no.
type truth int

const (
	no truth = iota
	unknown
	yes
)

// condition looks at a partition: its column names and the values in its path.
type condition func(row map[string]string) truth

// filterTokens are names, strings, numbers, dates and operators of a partition
// filter as Spark writes it: a string is in the quotes that it does not have
// itself, and nothing in it is escaped (HiveShim.quoteStringLiteral).
var filterTokens = regexp.MustCompile(`^\s*("[^"]*"|'[^']*'|<=|>=|<>|!=|=|<|>|\(|\)|[A-Za-z0-9_.+-]+)`)

// parseFilter reads comparisons of a column with a literal, joined by and, or
// and parentheses. It reports false for any other filter.
func parseFilter(text string) (condition, bool) {
	p := &filterParser{}
	for rest := strings.TrimSpace(text); rest != ""; rest = strings.TrimSpace(rest) {
		token := filterTokens.FindStringSubmatch(rest)
		if token == nil {
			return nil, false
		}
		p.tokens = append(p.tokens, token[1])
		rest = rest[len(token[0]):]
	}
	match := p.either(0)
	return match, match != nil && len(p.tokens) == 0
}

type filterParser struct{ tokens []string }

func (p *filterParser) next() string {
	if len(p.tokens) == 0 {
		return ""
	}
	token := p.tokens[0]
	p.tokens = p.tokens[1:]
	return token
}

func (p *filterParser) at(word string) bool {
	return len(p.tokens) > 0 && strings.EqualFold(p.tokens[0], word)
}

// maxNesting is how deep parentheses may be in each other.
const maxNesting = 100

func (p *filterParser) either(depth int) condition {
	return p.joined("or", depth, func(depth int) condition {
		return p.joined("and", depth, p.one, func(a, b truth) truth { return min(a, b) })
	}, func(a, b truth) truth { return max(a, b) })
}

func (p *filterParser) joined(word string, depth int, part func(int) condition, join func(a, b truth) truth) condition {
	all := part(depth)
	for all != nil && p.at(word) {
		p.next()
		left, right := all, part(depth)
		if right == nil {
			return nil
		}
		all = func(row map[string]string) truth { return join(left(row), right(row)) }
	}
	return all
}

func (p *filterParser) one(depth int) condition {
	if p.at("(") {
		p.next()
		inner := condition(nil)
		if depth < maxNesting {
			inner = p.either(depth + 1)
		}
		if p.next() != ")" {
			return nil
		}
		return inner
	}
	left, operator, right := p.next(), p.next(), p.next()
	holds, known := operators[operator]
	if !known || right == "" || right == "(" || right == ")" {
		return nil
	}
	if _, isText := unquote(left); isText || '0' <= left[0] && left[0] <= '9' { // the literal comes first
		left, right = right, left
		holds = operators[mirrored[operator]]
	}
	return comparison(strings.ToLower(left), right, holds)
}

var (
	operators = map[string]func(order int) bool{
		"=": func(o int) bool { return o == 0 }, "!=": func(o int) bool { return o != 0 }, "<>": func(o int) bool { return o != 0 },
		"<": func(o int) bool { return o < 0 }, "<=": func(o int) bool { return o <= 0 },
		">": func(o int) bool { return o > 0 }, ">=": func(o int) bool { return o >= 0 },
	}
	mirrored = map[string]string{"=": "=", "!=": "!=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
)

// comparison compares a column with a literal: as numbers when both are, as
// text when the literal is quoted or a date.
func comparison(column, literal string, holds func(order int) bool) condition {
	text, quoted := unquote(literal)
	number, err := strconv.ParseInt(literal, 10, 64)
	numeric := !quoted && err == nil
	if !quoted && !numeric && !date.MatchString(literal) {
		return nil
	}
	return func(row map[string]string) truth {
		value, known := row[column]
		order := cmp.Compare(value, text)
		if numeric {
			n, err := strconv.ParseInt(value, 10, 64)
			known = known && err == nil
			order = cmp.Compare(n, number)
		}
		switch {
		case !known || value == nullPartition:
			return unknown
		case holds(order):
			return yes
		}
		return no
	}
}

var date = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`)

// unquote gives the text of a string literal, and reports whether it is one.
func unquote(literal string) (string, bool) {
	if len(literal) < 2 || literal[0] != '"' && literal[0] != '\'' {
		return literal, false
	}
	return literal[1 : len(literal)-1], true
}
