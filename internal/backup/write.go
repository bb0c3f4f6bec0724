package backup

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Writer writes an archive. It is whole when Close has returned nil.
type Writer struct {
	ctx     context.Context
	archive *tar.Writer
	packed  *gzip.Writer
	taken   time.Time
	sums    bytes.Buffer

	Files int   // how many were added
	Bytes int64 // how many they have
}

// NewWriter begins an archive. When ctx is done, so is the writing.
func NewWriter(ctx context.Context, to io.Writer, facts Facts) (*Writer, error) {
	packed, err := gzip.NewWriterLevel(to, gzip.BestSpeed) // who wants it smaller has better programs for that
	if err != nil {
		return nil, err
	}
	w := &Writer{ctx: ctx, archive: tar.NewWriter(packed), packed: packed, taken: facts.TakenAt}
	text, err := json.MarshalIndent(facts, "", "  ")
	if err != nil {
		return nil, err
	}
	return w, w.text(FactsFile, append(text, '\n'))
}

// Add adds what is at a path under a name: a file, or a folder with all that is
// in it but the names in except, which are relative to it. What is neither is
// left out, and so is what goes while it is looked at.
func (w *Writer) Add(name, from string, except ...string) error {
	err := w.add(name, from, except)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (w *Writer) add(name, from string, except []string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case info.Mode().IsRegular():
		return w.file(name, f, info)
	case !info.IsDir():
		return nil
	}
	if err := w.archive.WriteHeader(&tar.Header{
		Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o700, ModTime: info.ModTime(), Format: tar.FormatPAX,
	}); err != nil {
		return err
	}
	entries, err := f.ReadDir(-1)
	if err != nil {
		return err
	}
	// What begins with a dot describes another file, and is written before that
	// is: read after it, it is not too old.
	slices.SortFunc(entries, func(a, b fs.DirEntry) int {
		if dotA, dotB := a.Name()[0] == '.', b.Name()[0] == '.'; dotA != dotB {
			return map[bool]int{false: -1, true: 1}[dotA]
		}
		return strings.Compare(a.Name(), b.Name())
	})
	for _, e := range entries {
		if slices.Contains(except, e.Name()) || !e.IsDir() && !e.Type().IsRegular() {
			continue
		}
		if err := w.Add(path.Join(name, e.Name()), filepath.Join(from, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// file adds as much of a file as it has now.
func (w *Writer) file(name string, f *os.File, info fs.FileInfo) error {
	if err := w.entry(name, info.ModTime(), info.Size(), f); err != nil {
		return err
	}
	w.Files++
	w.Bytes += info.Size()
	return nil
}

func (w *Writer) text(name string, text []byte) error {
	return w.entry(name, w.taken, int64(len(text)), bytes.NewReader(text))
}

// entry writes a file and notes its checksum.
func (w *Writer) entry(name string, modified time.Time, size int64, content io.Reader) error {
	// Times are kept to the nanosecond, which only this format of tar does.
	if err := w.archive.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: size, ModTime: modified, Format: tar.FormatPAX,
	}); err != nil {
		return err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(w.archive, sum), io.LimitReader(source{w.ctx, content}, size))
	if err == nil && n < size {
		err = fmt.Errorf("%s became shorter while it was read", name)
	}
	if err != nil {
		return err
	}
	w.sums.WriteString(sumLine(hex.EncodeToString(sum.Sum(nil)), name))
	return nil
}

// Close ends the archive with the checksums.
func (w *Writer) Close() error {
	return errors.Join(w.text(SumsFile, slices.Clone(w.sums.Bytes())), w.archive.Close(), w.packed.Close())
}

// source reads until its context is done.
type source struct {
	ctx context.Context
	io.Reader
}

func (s source) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.Reader.Read(p)
}
