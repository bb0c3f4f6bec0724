package spark

import (
	"archive/zip"
	"errors"
	"os"
	"path/filepath"
	"regexp"
)

// signature are the files by which Java knows that a jar is signed.
var signature = regexp.MustCompile(`^META-INF/[^/]+\.(SF|RSA|DSA|EC)$`)

// unsigned gives the jars of a class path without their signatures: an archive
// leaves out classes that are signed, and those that compile Spark's queries
// are. Such a jar is copied into dir, under its own name.
func unsigned(jars []string, dir string) ([]string, error) {
	bare := make([]string, len(jars))
	for i, jar := range jars {
		var err error
		if bare[i], err = unsign(jar, dir); err != nil {
			return nil, err
		}
	}
	return bare, nil
}

func unsign(jar, dir string) (string, error) {
	signed, err := zip.OpenReader(jar)
	if errors.Is(err, zip.ErrFormat) {
		return jar, nil // Java says what is wrong with it
	}
	if err != nil {
		return "", err
	}
	defer signed.Close()
	var rest []*zip.File
	for _, f := range signed.File {
		if !signature.MatchString(f.Name) {
			rest = append(rest, f)
		}
	}
	if len(rest) == len(signed.File) {
		return jar, nil
	}
	bare := filepath.Join(dir, filepath.Base(jar))
	file, err := os.Create(bare + ".new")
	if err != nil {
		return "", err
	}
	copied := zip.NewWriter(file)
	for _, f := range rest {
		if err := copied.Copy(f); err != nil {
			return "", errors.Join(err, file.Close())
		}
	}
	if err := errors.Join(copied.Close(), file.Close()); err != nil {
		return "", err
	}
	return bare, os.Rename(bare+".new", bare)
}
