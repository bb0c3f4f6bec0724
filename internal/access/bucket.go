package access

import (
	"context"
	"path"
	"slices"
	"strings"

	"hearth"
)

// Buckets tells, by the name of a bucket or a pattern of names, the workgroups
// whose sessions reach it. A bucket that nothing is said of is for all. Keys
// that are not a session's reach every bucket.
//
// Of several patterns that match, the one counts that has most characters beside
// * and ?: whoever writes "team-*" and "team-a" means that one bucket is an
// exception. Of several that have as many, each has to name the workgroup.
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
	closest, reaches := -1, true
	for pattern, groups := range b {
		match, _ := path.Match(pattern, bucket) // its only error is of the pattern
		exact := len(strings.NewReplacer("*", "", "?", "").Replace(pattern))
		if !match || exact < closest {
			continue
		}
		if exact > closest {
			closest, reaches = exact, true
		}
		reaches = reaches && slices.Contains(groups, workGroup)
	}
	return reaches
}
