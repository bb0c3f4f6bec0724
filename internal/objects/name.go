package objects

import (
	"fmt"
	"path"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	maxKey  = 1024 // bytes; S3's limit
	maxName = 240  // bytes of a file name, before it is marked; 255 are possible

	folderMark = "+"
	cutMark    = "%"
	emptyName  = "%empty"
	metaMark   = "%meta"
	bucketFile = ".%bucket"
)

func checkKey(key string) error {
	switch {
	case key == "":
		return faultf(invalidURI, "An object needs a key, and it is empty.")
	case len(key) > maxKey:
		return faultf(keyTooLong, "The key is %d bytes long; at most %d are possible.", len(key), maxKey)
	case !utf8.ValidString(key):
		return faultf(invalidURI, "The key %q is not valid UTF-8.", key)
	}
	return nil
}

// filePath is the path of a key's file inside its bucket's folder.
func filePath(key string) string {
	folder, last := "", key
	if i := strings.LastIndexByte(key, '/'); i >= 0 {
		folder, last = folderPath(key[:i+1]), key[i+1:]
	}
	return path.Join(folder, namePath(last, false))
}

// folderPath is the folder of all keys that begin with prefix, which is empty
// or ends in a slash.
func folderPath(prefix string) string {
	var folder string
	for part := range strings.SplitSeq(strings.TrimSuffix(prefix, "/"), "/") {
		if prefix != "" {
			folder = path.Join(folder, namePath(part, true))
		}
	}
	return folder
}

// metaPath is the path of the description of the object in file.
func metaPath(file string) string {
	folder, name := path.Split(file)
	return folder + "." + name + metaMark
}

// namePath writes one part of a key as a file name, or as several where it has
// to be cut.
func namePath(part string, folder bool) string {
	var cut []string
	var name strings.Builder
	for _, r := range part {
		escaped := escape(r)
		if name.Len()+len(escaped) > maxName {
			cut = append(cut, name.String()+cutMark)
			name.Reset()
		}
		name.WriteString(escaped)
	}
	return path.Join(append(cut, lastName(name.String(), folder))...)
}

func escape(r rune) string {
	if r == '%' || r < 0x20 || r == 0x7f {
		return fmt.Sprintf("%%%02X", r)
	}
	return string(r)
}

// lastName marks a name, so that it is that of a folder or cannot be taken for
// one, and means nothing to the file system. After a cut, too, a name may be
// just dots.
func lastName(name string, folder bool) string {
	if name == "." || name == ".." {
		name = "%2E" + name[1:]
	}
	if begin, ok := strings.CutSuffix(name, folderMark); ok {
		name = begin + "%2B"
	}
	switch {
	case folder:
		return name + folderMark
	case name == "":
		return emptyName
	}
	return name
}

// unescape undoes escape. It reports false for what escape never writes; what
// it writes in another way is found by writing the result again.
func unescape(name string) (string, bool) {
	if !strings.Contains(name, "%") {
		return name, utf8.ValidString(name)
	}
	var part strings.Builder
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c == '%' {
			if i+2 >= len(name) {
				return "", false
			}
			v, err := strconv.ParseUint(name[i+1:i+3], 16, 8)
			if err != nil {
				return "", false
			}
			c, i = byte(v), i+2
		}
		part.WriteByte(c)
	}
	return part.String(), utf8.ValidString(part.String())
}
