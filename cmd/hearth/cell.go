package main

import (
	"slices"
	"strings"
	"unicode"
)

// cell gathers the lines of a prompt until they make something to run. Whether
// they are Python is for Python to say; where they end follows the rules of its
// own prompt, which need no more than its brackets, strings and colons:
//
//   - A line goes on with the next while a bracket or a string of three quotes is
//     open, and after a backslash.
//   - A line that ends with a colon, or is a decorator, opens a block.
//   - What begins with %% is a cell magic.
//   - A block and a cell magic last until an empty line.
//   - Anything else is a cell by itself.
type cell struct {
	lines []string

	magic    bool   // the first line is a cell magic's
	code     bool   // there is more than comments
	quote    string // of the string that is open
	brackets int    // that are open
	joined   bool   // by a backslash to the next line
	block    bool   // a block was opened
	headed   bool   // the last line of code has a body, which is still to come

	decorates bool // the line that is not at its end yet is a decorator
}

func (c *cell) text() string { return strings.Join(c.lines, "\n") }

// continues says that the last line is not at its end.
func (c *cell) continues() bool { return c.quote != "" || c.brackets > 0 || c.joined }

// complete says whether the cell is to be run, of which line was the last. In
// text without a prompt a block has empty lines, as it has in files: see left.
func (c *cell) complete(line string, prompted bool) bool {
	switch {
	case c.continues():
		return false
	case c.magic:
		return blank(line)
	case c.block:
		return prompted && blank(line)
	}
	return true
}

// left says that a line without a prompt is not the cell's any more: it is
// outside of the cell's blocks, as its indentation tells.
func (c *cell) left(line string) bool {
	return c.block && !c.continues() && !c.headed && !blank(line) && !indented(line) && !strings.HasPrefix(line, "#") && !clause(line)
}

// add takes the next line.
func (c *cell) add(line string) {
	if len(c.lines) == 0 && strings.HasPrefix(line, "%%") {
		c.magic = true
	}
	c.lines = append(c.lines, line)
	if c.magic {
		c.code = true
		return
	}
	if !c.continues() {
		text := strings.TrimSpace(line)
		if strings.HasPrefix(text, "%") || strings.HasPrefix(text, "!") { // for IPython and a shell, which have other quotes
			c.code, c.headed = true, false
			return
		}
		c.decorates = strings.HasPrefix(text, "@")
	}
	last, found := c.scan(line)
	if !found { // nothing but space and comments
		return
	}
	c.code = true
	if !c.continues() {
		c.headed = c.decorates || last == ':'
		c.block = c.block || c.headed
	}
}

// scan follows brackets and strings through a line and gives the last character
// of its code, if it has any.
func (c *cell) scan(line string) (last byte, found bool) {
	c.joined, found = false, c.quote != ""
	for i := 0; i < len(line); i++ {
		b := line[i]
		switch {
		case c.quote != "":
			last = '"'
			if b == '\\' {
				i++
				c.joined = i == len(line)
			} else if strings.HasPrefix(line[i:], c.quote) {
				i += len(c.quote) - 1
				c.quote = ""
			}
			continue
		case b == ' ' || b == '\t' || b == '\f' || b == '\r':
			continue
		case b == '#':
			return last, found
		case b == '"' || b == '\'':
			c.quote = line[i : i+1]
			if triple := strings.Repeat(c.quote, 3); strings.HasPrefix(line[i:], triple) {
				c.quote = triple
				i += 2
			}
		case b == '(' || b == '[' || b == '{':
			c.brackets++
		case b == ')' || b == ']' || b == '}':
			c.brackets = max(0, c.brackets-1)
		case b == '\\':
			c.joined = i == len(line)-1
		}
		last, found = b, true
	}
	if len(c.quote) == 1 && !c.joined {
		c.quote = "" // it has no end, which is for Python to say
	}
	return last, found
}

func blank(line string) bool { return strings.TrimSpace(line) == "" }

func indented(line string) bool { return strings.TrimLeft(line, " \t") != line }

// clause says whether a line goes on with a statement that has had a block.
func clause(line string) bool {
	end := strings.IndexFunc(line, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	return end > 0 && slices.Contains([]string{"elif", "else", "except", "finally"}, line[:end])
}
