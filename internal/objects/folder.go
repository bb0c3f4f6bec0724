package objects

import (
	"path/filepath"
	"strings"
)

// Folder is where a store in dir has the objects below an s3:// URI, for people
// who want to look at them as files. It is "" for what is no such URI.
func Folder(dir, uri string) string {
	bucket, key, err := parseURI(strings.TrimSuffix(uri, "/") + "/")
	if err != nil {
		return ""
	}
	return filepath.Join(dir, bucket, folderPath(key))
}
