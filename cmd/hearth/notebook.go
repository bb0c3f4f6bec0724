package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"hearth"
)

const notebookExtension = ".ipynb"

// notebook is a file of cells to run.
type notebook struct {
	name     string // for people
	path     string // of the file itself, which a link may have led to
	mode     fs.FileMode
	document *hearth.IPYNB
	cells    []hearth.CodeCell // those that have code
}

// readNotebook takes away the outputs of an earlier run; the file has them
// until it is saved.
func readNotebook(file string) (*notebook, error) {
	content, err := readFile(file)
	if err != nil {
		return nil, err
	}
	n := &notebook{name: filepath.Base(file)}
	if n.path, err = filepath.EvalSymlinks(file); err != nil {
		return nil, err
	}
	info, err := os.Stat(n.path)
	if err != nil {
		return nil, err
	}
	n.mode = info.Mode().Perm()
	if n.document, err = hearth.ParseIPYNB(content); err != nil {
		return nil, hearth.Errorf(hearth.KindInvalid, "%s cannot be run. %w", file, err)
	}
	for _, cell := range n.document.CodeCells() {
		cell.Clear()
		if strings.TrimSpace(cell.Source()) != "" {
			n.cells = append(n.cells, cell)
		}
	}
	if len(n.cells) == 0 {
		return nil, hearth.Errorf(hearth.KindInvalid, "%s has no cells with code: there is nothing to run.", file)
	}
	for i := range n.cells {
		if err := n.program(i).check(); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// directory is where Jupyter runs a notebook: relative paths start there.
func (n *notebook) directory() (string, error) { return filepath.Abs(filepath.Dir(n.path)) }

// program is the code of the i-th cell.
func (n *notebook) program(i int) program {
	return program{name: fmt.Sprintf("%s, code cell %d", n.name, i+1), code: n.cells[i].Source()}
}

// save replaces the file wholly, so that nobody reads half of it and nothing
// is lost when the disk is full.
func (n *notebook) save() error {
	aside, err := os.CreateTemp(filepath.Dir(n.path), "."+n.name+".*")
	if err != nil {
		return hearth.Errorf(hearth.KindUnavailable, "The outputs cannot be written back: %w.", err)
	}
	defer os.Remove(aside.Name()) // there is none after the renaming
	_, err = aside.Write(n.document.Bytes())
	err = errors.Join(err, aside.Chmod(n.mode), aside.Sync(), aside.Close())
	if err == nil {
		err = os.Rename(aside.Name(), n.path)
	}
	if err != nil {
		return hearth.Errorf(hearth.KindUnavailable, "The outputs cannot be written back to %s: %w.", n.path, err)
	}
	return nil
}

// ranCell is a cell's run as the API answered it.
type ranCell struct {
	CalculationExecution json.RawMessage
	Result               json.RawMessage
}

// executeNotebook runs the cells one after the other, up to the first that
// fails. The file has a cell's outputs as soon as the cell has run: what ran
// for hours is not lost by what comes after it.
func (r *run) executeNotebook(n *notebook) error {
	for i, cell := range n.cells {
		r.part = fmt.Sprintf("cell %d of %d", i+1, len(n.cells))
		fmt.Fprintln(r.notes, "Running", r.part)
		var stdout, stderr bytes.Buffer
		err := r.execute(n.program(i), io.MultiWriter(r.stdout, &stdout), io.MultiWriter(r.stderr, &stderr))
		if r.calculation.CalculationExecutionID == nil {
			return err
		}
		r.cells = append(r.cells, ranCell{r.raw.calculation, r.raw.result})
		err = errors.Join(err, cell.Record(i+1, r.outputs(stdout.String(), stderr.String())), n.save())
		if err != nil || r.result.ExitStatus != 0 || r.stop.Err() != nil {
			return err
		}
	}
	return nil
}

// outputs are what a cell gave, in nbformat's form. An error stands at the end
// of stderr, too; a notebook has it once.
func (r *run) outputs(stdout, stderr string) []json.RawMessage {
	raised := r.result.Error
	if raised != nil {
		stderr = strings.TrimSuffix(stderr, strings.Join(raised.Traceback, "\n")+"\n")
	}
	var outputs []json.RawMessage
	if stdout != "" {
		outputs = append(outputs, hearth.StreamOutput(hearth.Stdout, stdout))
	}
	if stderr != "" {
		outputs = append(outputs, hearth.StreamOutput(hearth.Stderr, stderr))
	}
	outputs = append(outputs, r.result.Outputs...)
	if raised != nil {
		outputs = append(outputs, hearth.ErrorOutput(raised.Name, raised.Value, raised.Traceback))
	}
	return outputs
}
