package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"hearth"
)

// program is code to run, and its name for people.
type program struct {
	name string
	code string
}

// readProgram takes code from a file ("-" is stdin) or from the command line.
// Whether it is Python is for Python to say.
func readProgram(file, code string, stdin io.Reader) (program, error) {
	p := program{name: filepath.Base(file)}
	switch {
	case file != "" && code != "":
		return p, usagef("give a file or -c CODE, not both")
	case code != "":
		p.name, p.code = "-c", code
	case file == "":
		return p, usagef("give a Python file or a notebook, or code with -c")
	case file == "-":
		p.name = "standard input"
		content, err := io.ReadAll(stdin)
		if err != nil {
			return p, err
		}
		p.code = string(content)
	default:
		content, err := readFile(file)
		if err != nil {
			return p, err
		}
		p.code = strings.TrimPrefix(string(content), "\ufeff") // some editors put it there
	}
	return p, p.check()
}

func readFile(file string) ([]byte, error) {
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, hearth.Errorf(hearth.KindInvalid, "There is no file %s.", file)
	}
	if err != nil {
		return nil, hearth.Errorf(hearth.KindInvalid, "The program cannot be read: %w.", err)
	}
	return content, nil
}

func (p program) check() error {
	switch length := utf8.RuneCountInString(p.code); {
	case !utf8.ValidString(p.code):
		return hearth.Errorf(hearth.KindInvalid, "%s is not UTF-8 text. Save it as that.", p.name)
	case strings.TrimSpace(p.code) == "":
		return hearth.Errorf(hearth.KindInvalid, "%s is empty: there is nothing to run.", p.name)
	case length > hearth.MaxCodeLength:
		return hearth.Errorf(hearth.KindInvalid, "%s has %d characters, and a calculation takes %d at most. Move parts of it into modules that it imports.", p.name, length, hearth.MaxCodeLength)
	}
	return nil
}
