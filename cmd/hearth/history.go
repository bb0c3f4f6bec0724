package main

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"hearth"
)

// What a history keeps: enough for months, in a file of at most some 8 MB.
const (
	historyLines      = 1000
	historyLineLength = 4096 // bytes; a longer one was pasted, and is not for typing again
)

// typed has the lines that were typed at prompts, the newest last, in memory
// and in a file. It is a term.History.
type typed struct {
	file  string
	lines []string
}

// openHistory reads a file of history, which need not be there. One that has
// grown to twice of what is kept is made shorter; until then shells that run at
// once only append to it.
func openHistory(file string) (*typed, error) {
	h := &typed{file: file}
	content, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return h, nil
	}
	if err != nil {
		return h, unusableHistory(err)
	}
	defer content.Close()
	lines := bufio.NewScanner(content)
	for lines.Scan() {
		h.lines = append(h.lines, lines.Text())
	}
	if err := lines.Err(); err != nil {
		return h, unusableHistory(err)
	}
	if len(h.lines) < 2*historyLines {
		return h, nil
	}
	h.lines = h.lines[len(h.lines)-historyLines:]
	shorter := filepath.Join(filepath.Dir(file), "."+filepath.Base(file))
	err = os.WriteFile(shorter, []byte(strings.Join(h.lines, "\n")+"\n"), 0o600)
	if err == nil {
		err = os.Rename(shorter, file)
	}
	return h, unusableHistory(err)
}

func unusableHistory(err error) error {
	if err == nil {
		return nil
	}
	return hearth.Errorf(hearth.KindUnavailable, "What was typed before cannot be had again: %w.", err)
}

// Add records a line. One that cannot be written is in memory.
func (h *typed) Add(line string) {
	if blank(line) || len(line) > historyLineLength || len(h.lines) > 0 && h.At(0) == line {
		return
	}
	h.lines = append(h.lines, line)
	if file, err := os.OpenFile(h.file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err == nil {
		file.WriteString(line + "\n")
		file.Close()
	}
}

// Len is how many lines there are to go back to.
func (h *typed) Len() int { return min(len(h.lines), historyLines) }

// At gives a line, 0 being the newest.
func (h *typed) At(i int) string { return h.lines[len(h.lines)-1-i] }

// before gives the newest line that holds text, older than the one at i.
func (h *typed) before(i int, text string) (at int, found bool) {
	for at = i + 1; at < h.Len(); at++ {
		if strings.Contains(h.At(at), text) {
			return at, true
		}
	}
	return i, false
}
