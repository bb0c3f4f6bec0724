package config

import (
	"maps"
	"path"
	"slices"
)

// Bucket is a table [buckets.NAME]. NAME is that of a bucket, or a pattern in
// quotes: * stands for any characters, ? for one. Of several that match a bucket
// the one counts that has most other characters. The server's keys reach every bucket.
type Bucket struct {
	// WorkGroups are those whose sessions may read and write the bucket. With
	// none, no session may. Default: none.
	WorkGroups []string `toml:"workgroups"`
}

func (c Config) checkBuckets() error {
	for _, pattern := range slices.Sorted(maps.Keys(c.Buckets)) {
		if _, err := path.Match(pattern, ""); err != nil {
			return refuse("buckets", pattern, "write the name of a bucket, or a pattern with * and ?")
		}
	}
	return nil
}
