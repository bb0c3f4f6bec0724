package hearth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// EmptyIPYNB is a notebook without cells, as Jupyter writes one. It names
// Python's usual kernel, so that Jupyter opens it without asking for one.
const EmptyIPYNB = `{
 "cells": [],
 "metadata": {
  "kernelspec": {
   "display_name": "Python 3",
   "language": "python",
   "name": "python3"
  },
  "language_info": {
   "name": "python"
  }
 },
 "nbformat": 4,
 "nbformat_minor": 5
}
`

// IPYNB is a notebook's document in nbformat 4 (nbformat.readthedocs.io, "The
// notebook file format"). What is not known of a document is kept as it is.
type IPYNB struct {
	top   object
	cells []object
}

// object is a JSON object whose members are looked at as needed.
type object map[string]json.RawMessage

// ParseIPYNB reads a document and checks that it is nbformat 4. Like Jupyter it
// takes members that the format does not have, and cells without an id. The
// error's kind is KindInvalid and its message says where the document is wrong.
func ParseIPYNB(content []byte) (*IPYNB, error) {
	n := &IPYNB{}
	if err := n.parse(content); err != nil {
		return nil, Errorf(KindInvalid, "This is not a notebook in ipynb format (nbformat 4): %w.", err)
	}
	return n, nil
}

func (n *IPYNB) parse(content []byte) error {
	if !utf8.Valid(content) {
		return errors.New("it is not UTF-8 text")
	}
	err := json.Unmarshal(content, &n.top)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("it is not JSON: at byte %d, %w", syntax.Offset, syntax)
	}
	if err != nil || n.top == nil {
		return errors.New("it is not a JSON object")
	}
	major, minor := 0, 0
	switch {
	case !is(n.top["nbformat"], &major) || major != 4:
		return errors.New("its nbformat is not 4")
	case !is(n.top["nbformat_minor"], &minor) || minor < 0:
		return errors.New("its nbformat_minor is not a version's number")
	case !is(n.top["metadata"], new(object)):
		return errors.New("its metadata is not an object")
	case !is(n.top["cells"], &n.cells):
		return errors.New("its cells are not a list of objects")
	}
	for i, cell := range n.cells {
		if err := cell.checkCell(minor); err != nil {
			return fmt.Errorf("cell %d: %w", i+1, err)
		}
	}
	return nil
}

// is reads a member that has to be there and to have the type of value.
func is[T any](member json.RawMessage, value *T) bool {
	return member != nil && string(member) != "null" && json.Unmarshal(member, value) == nil
}

// has reports whether a member is a word.
func (o object) has(member, word string) bool {
	var found string
	return is(o[member], &found) && found == word
}

// isCount reports whether a member is an execution count: a number, or null.
func isCount(member json.RawMessage) bool {
	var count int
	return string(member) == "null" || is(member, &count) && count >= 0
}

// text reads a member that is text, or a list of its lines.
func text(member json.RawMessage) (string, bool) {
	var whole string
	if is(member, &whole) {
		return whole, true
	}
	var lines []string
	ok := is(member, &lines)
	return strings.Join(lines, ""), ok
}

// cellID is the form of the ids that cells have since nbformat 4.5.
var cellID = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

const cellIDsSince = 5

func (cell object) checkCell(minor int) error {
	var kind, id string
	var outputs []object
	_, hasSource := text(cell["source"])
	switch {
	case !is(cell["cell_type"], &kind) || kind != "code" && kind != "markdown" && kind != "raw":
		return errors.New("its cell_type is not code, markdown or raw")
	case !is(cell["metadata"], new(object)):
		return errors.New("its metadata is not an object")
	case !hasSource:
		return errors.New("its source is not text")
	case minor >= cellIDsSince && cell["id"] != nil && (!is(cell["id"], &id) || !cellID.MatchString(id)):
		return errors.New("its id is not 1 to 64 letters, digits, - and _")
	case kind != "code":
		return nil
	case !isCount(cell["execution_count"]):
		return errors.New("its execution_count is not a number or null")
	case !is(cell["outputs"], &outputs):
		return errors.New("its outputs are not a list of objects")
	}
	for i, output := range outputs {
		if err := output.checkOutput(); err != nil {
			return fmt.Errorf("output %d: %w", i+1, err)
		}
	}
	return nil
}

func (output object) checkOutput() error {
	var kind, word string
	if !is(output["output_type"], &kind) {
		return errors.New("it has no output_type")
	}
	ok := false
	switch kind {
	case "execute_result":
		ok = is(output["data"], new(object)) && is(output["metadata"], new(object)) && isCount(output["execution_count"])
	case "display_data":
		ok = is(output["data"], new(object)) && is(output["metadata"], new(object))
	case "stream":
		_, ok = text(output["text"])
		ok = ok && is(output["name"], &word)
	case "error":
		ok = is(output["ename"], &word) && is(output["evalue"], &word) && is(output["traceback"], new([]string))
	}
	if !ok {
		return fmt.Errorf("it is not an output of the type %q", kind)
	}
	return nil
}

// CodeCells gives the cells that hold code, in their order.
func (n *IPYNB) CodeCells() []CodeCell {
	var cells []CodeCell
	for _, cell := range n.cells {
		if cell.has("cell_type", "code") {
			cells = append(cells, CodeCell{cell})
		}
	}
	return cells
}

// CodeCell is a cell of a document. Changes are the document's.
type CodeCell struct{ cell object }

// Source is the cell's code.
func (c CodeCell) Source() string {
	source, _ := text(c.cell["source"])
	return source
}

// Clear takes away what an earlier run left.
func (c CodeCell) Clear() {
	c.cell["execution_count"] = json.RawMessage("null")
	c.cell["outputs"] = json.RawMessage("[]")
}

// Record puts down what a run of the cell gave, as the count-th one of its
// session. Outputs are in the format's form; text in them is split into lines,
// as Jupyter writes it.
func (c CodeCell) Record(count int, outputs []json.RawMessage) error {
	written := make([]object, len(outputs))
	for i, output := range outputs {
		if err := json.Unmarshal(output, &written[i]); err != nil {
			return err
		}
		if written[i].has("output_type", "execute_result") {
			written[i]["execution_count"] = encoded(count)
		}
		var data object
		if is(written[i]["data"], &data) {
			for media := range data {
				if strings.HasPrefix(media, "text/") {
					data[media] = split(data[media])
				}
			}
			written[i]["data"] = encoded(data)
		}
	}
	c.cell["execution_count"] = encoded(count)
	c.cell["outputs"] = encoded(written)
	return nil
}

// StreamOutput is what a cell wrote to a stream.
func StreamOutput(stream Stream, written string) json.RawMessage {
	return encoded(map[string]any{"output_type": "stream", "name": stream, "text": split(encoded(written))})
}

// ErrorOutput is what a cell raised.
func ErrorOutput(name, value string, traceback []string) json.RawMessage {
	return encoded(map[string]any{"output_type": "error", "ename": name, "evalue": value, "traceback": traceback})
}

// split makes a list of lines of a text; what is not text stays as it is.
func split(member json.RawMessage) json.RawMessage {
	whole, ok := text(member)
	if !ok {
		return member
	}
	lines := strings.SplitAfter(whole, "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	return encoded(lines)
}

// Bytes writes the document as Jupyter does: members in the order of their
// names, indented by one space.
func (n *IPYNB) Bytes() []byte {
	n.top["cells"] = encoded(n.cells)
	var indented bytes.Buffer
	if err := json.Indent(&indented, encoded(n.top), "", " "); err != nil {
		panic(fmt.Sprintf("a notebook's document became invalid: %v", err))
	}
	indented.WriteByte('\n')
	return indented.Bytes()
}

// encoded writes JSON with "<" and the like as they are.
func encoded(value any) json.RawMessage {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(fmt.Sprintf("part of a notebook cannot be written as JSON: %v", err))
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'})
}
