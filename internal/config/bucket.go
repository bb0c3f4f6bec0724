package config

import (
	"maps"
	"slices"
)

// Bucket is a table [buckets.NAME]. NAME is that of a bucket, or a pattern in
// quotes, in which * stands for any characters. Where several fit, a name wins
// over a pattern, and a long pattern over a short one. The server's keys reach
// every bucket.
type Bucket struct {
	// WorkGroups are those whose sessions may read and write the bucket. With
	// none, no session may. Default: none.
	WorkGroups []string `toml:"workgroups"`
}

func (c Config) checkBuckets() error {
	for _, pattern := range slices.Sorted(maps.Keys(c.Buckets)) {
		if !bucketsPattern.MatchString(pattern) {
			return refuse("buckets", pattern, notBuckets)
		}
	}
	return nil
}
