package backup

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"hearth"
)

// Extract writes what an archive has into a directory, which has to be empty.
// check is asked whether the archive is wanted before any of it is written. It
// returns KindInvalid for what is no archive of this package or is damaged, and
// KindUnavailable when the directory cannot be written. After an error the
// directory has a part of the archive.
func Extract(ctx context.Context, from io.Reader, dir string, check func(Facts) error) (Facts, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Facts{}, unwritable(err)
	}
	defer root.Close()
	packed, err := gzip.NewReader(source{ctx, from})
	if err != nil {
		return Facts{}, unreadable(ctx, err, noArchive())
	}
	e := &extraction{ctx: ctx, root: root, archive: tar.NewReader(packed), sums: make(map[string]string)}
	facts, err := e.facts()
	if err != nil {
		return Facts{}, err
	}
	if err := check(facts); err != nil {
		return Facts{}, err
	}
	if err := e.entries(); err != nil {
		return Facts{}, err
	}
	if _, err := io.Copy(io.Discard, packed); err != nil { // the checksum of the compression
		return Facts{}, unreadable(ctx, err, damaged("it cannot be read to its end"))
	}
	return facts, nil
}

// extraction is one Extract.
type extraction struct {
	ctx     context.Context
	root    *os.Root
	archive *tar.Reader
	sums    map[string]string // as they are, by name
}

// facts reads the first entry.
func (e *extraction) facts() (facts Facts, err error) {
	header, err := e.archive.Next()
	if err != nil || header.Name != FactsFile || header.Size > 1<<20 {
		return facts, unreadable(e.ctx, err, noArchive())
	}
	text, err := io.ReadAll(e.archive)
	if err != nil {
		return facts, unreadable(e.ctx, err, damaged("it cannot be read to its end"))
	}
	if err := json.Unmarshal(text, &facts); err != nil {
		return facts, noArchive()
	}
	if facts.Format != Format {
		return facts, hearth.Errorf(hearth.KindInvalid, "The backup has the form %d, and this version of Hearth reads %d. Restore it with Hearth %s.", facts.Format, Format, facts.Version)
	}
	e.note(FactsFile, text)
	return facts, nil
}

func (e *extraction) note(name string, text []byte) {
	sum := sha256.Sum256(text)
	e.sums[name] = hex.EncodeToString(sum[:])
}

// entries writes the others, and compares their checksums at the end.
func (e *extraction) entries() error {
	for {
		header, err := e.archive.Next()
		if errors.Is(err, io.EOF) {
			return damaged("its end is missing")
		}
		if err != nil {
			return unreadable(e.ctx, err, damaged("it cannot be read to its end"))
		}
		name := strings.TrimSuffix(header.Name, "/")
		if !filepath.IsLocal(name) {
			return damaged(fmt.Sprintf("it has %q, which leads out of a data directory", header.Name))
		}
		switch {
		case name == SumsFile:
			return e.compare()
		case header.Typeflag == tar.TypeDir:
			if err := e.root.MkdirAll(name, 0o700); err != nil {
				return unwritable(err)
			}
		case header.Typeflag == tar.TypeReg:
			if err := e.file(name, header); err != nil {
				return err
			}
		default:
			return damaged(fmt.Sprintf("%s is neither a file nor a folder", header.Name))
		}
	}
}

func (e *extraction) file(name string, header *tar.Header) error {
	if err := e.root.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return unwritable(err)
	}
	f, err := e.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return unwritable(err)
	}
	sum := sha256.New()
	content := &kept{Reader: e.archive}
	_, err = io.Copy(io.MultiWriter(f, sum), content)
	err = errors.Join(err, f.Close())
	if content.err != nil {
		return unreadable(e.ctx, content.err, damaged("it cannot be read to its end"))
	}
	if err != nil {
		return unwritable(err)
	}
	e.sums[name] = hex.EncodeToString(sum.Sum(nil))
	if err := e.root.Chtimes(name, header.ModTime, header.ModTime); err != nil {
		return unwritable(err)
	}
	return nil
}

// compare reads the checksums.
func (e *extraction) compare() error {
	text, err := io.ReadAll(e.archive)
	if err != nil {
		return unreadable(e.ctx, err, damaged("it cannot be read to its end"))
	}
	for line := range strings.Lines(string(text)) {
		sum, name, ok := parseSumLine(strings.TrimSuffix(line, "\n"))
		have, there := e.sums[name]
		switch {
		case !ok:
			return damaged("its checksums cannot be read")
		case !there:
			return damaged(name + " is missing")
		case have != sum:
			return damaged(name + " is not what was saved")
		}
		delete(e.sums, name)
	}
	for name := range e.sums {
		return damaged(name + " has no checksum")
	}
	if _, err := e.archive.Next(); !errors.Is(err, io.EOF) {
		return damaged("something follows its end")
	}
	return nil
}

// kept keeps the error of reading apart from those of writing.
type kept struct {
	io.Reader
	err error
}

func (k *kept) Read(p []byte) (int, error) {
	n, err := k.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		k.err = err
	}
	return n, err
}

func noArchive() error {
	return hearth.Errorf(hearth.KindInvalid, "This is not a backup of Hearth. Give a file that hearth backup wrote.")
}

func damaged(how string) error {
	return hearth.Errorf(hearth.KindInvalid, "The backup is damaged: %s. Use another copy of it, or an earlier one.", how)
}

// unreadable is what a failed reading means, unless somebody stopped it or the
// disk did.
func unreadable(ctx context.Context, err, meaning error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if failure, ok := errors.AsType[*os.PathError](err); ok {
		return hearth.Errorf(hearth.KindUnavailable, "The backup cannot be read: %w.", failure)
	}
	return meaning
}

func unwritable(err error) error {
	return hearth.Errorf(hearth.KindUnavailable, "The data directory cannot be written: %w. Make room there, or choose another one with --data.", err)
}
