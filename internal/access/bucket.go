package access

import (
	"context"
	"maps"
	"slices"

	"hearth"
)

// Buckets tells, by the name of a bucket or a pattern of names, the workgroups
// whose sessions reach it; hearth.ClosestBucketPattern counts. A bucket that
// nothing is said of is for all. Keys that are not a session's reach every bucket.
type Buckets map[string][]string

// Check returns KindDenied when whoever acts in ctx may not use the bucket.
func (b Buckets) Check(ctx context.Context, bucket string) error {
	p, known := PrincipalFrom(ctx)
	if known && p.SessionID == "" || b.reaches(p.WorkGroup, bucket) {
		return nil
	}
	return hearth.Errorf(hearth.KindDenied, "Bucket %s is not for sessions of workgroup %s. The server's setting [buckets] says for which it is.", bucket, p.WorkGroup)
}

func (b Buckets) reaches(workGroup, bucket string) bool {
	pattern, ruled := hearth.ClosestBucketPattern(maps.Keys(b), bucket)
	return !ruled || slices.Contains(b[pattern], workGroup)
}
