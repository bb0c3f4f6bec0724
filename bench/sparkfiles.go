package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
)

// manyFiles is how many files Spark writes, of 1,000 rows each.
const manyFiles = 1000

// objectsBySpark has one session write files to the local disk, to versitygw and
// to Hearth in turns, and read them: the same Java process with the same
// settings, so that what differs is the store. It commits to both stores as
// sessions do, by S3A's directory committer. Sessions have S3A delete the markers
// of folders that are no longer empty; versitygw refuses that and S3A asks again
// for minutes, so that they are kept there, and Hearth is measured in both ways.
func (b *bench) objectsBySpark(ctx context.Context, o options, peer, us *objectStore) ([]figure, error) {
	const theirs, kept = "versitygw", "kept" // S3A tells stores and settings apart by the bucket
	for name, store := range map[string]*objectStore{theirs: peer, kept: us} {
		if err := store.makeBucket(ctx, name); err != nil {
			return nil, err
		}
	}
	const s3a = "spark.hadoop.fs.s3a.bucket."
	session, err := b.hearth.session(ctx, map[string]string{
		s3a + theirs + ".endpoint":                   peer.server.address,
		s3a + theirs + ".access.key":                 peer.server.keys.AccessKeyID,
		s3a + theirs + ".secret.key":                 peer.server.keys.SecretAccessKey,
		s3a + theirs + ".aws.credentials.provider":   "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
		s3a + theirs + ".directory.marker.retention": "keep",
		s3a + kept + ".directory.marker.retention":   "keep",
	})
	if err != nil {
		return nil, err
	}
	type place struct{ name, uri string }
	disk := place{"local disk", "file://" + filepath.Join(b.scratch, "spark")}
	them := place{peer.name + ", markers kept", "s3a://" + theirs + "/spark"}
	alike := place{us.name + ", markers kept", "s3a://" + kept + "/spark"}
	as := place{us.name + ", as sessions have it", "s3a://" + bucket + "/spark"}
	steps := []struct{ what, code string }{
		{fmt.Sprintf("Spark writes %d Parquet files", manyFiles), "spark.range(files * 1000).repartition(files).write.parquet(place)"},
		{fmt.Sprintf("Spark counts the rows of %d Parquet files", manyFiles), "assert spark.read.parquet(place).count() == files * 1000"},
	}
	took := make(map[string][]float64) // by place and step
	for round := range o.runs + 1 {
		files := manyFiles
		if round == 0 {
			files = 40 // warms up
		}
		for _, at := range []place{disk, them, alike, as} {
			if err := b.hearth.calculate(ctx, session, fmt.Sprintf("place, files = %q, %d", fmt.Sprintf("%s/%d", at.uri, round), files)); err != nil {
				return nil, err
			}
			for _, step := range steps {
				begin := time.Now()
				if err := b.hearth.calculate(ctx, session, step.code); err != nil {
					return nil, fmt.Errorf("%s: %s: %w", at.name, step.what, err)
				}
				if round > 0 {
					took[at.name+": "+step.what] = append(took[at.name+": "+step.what], milliseconds(time.Since(begin)))
				}
			}
		}
	}

	var figures []figure
	for _, step := range steps {
		of := func(p place) figure {
			what := p.name + ": " + step.what
			return figureOf(what, "ms", took[what])
		}
		figures = append(figures, of(disk), of(them).over(of(disk)),
			of(alike).over(of(disk)), of(alike).over(of(them)),
			of(as).over(of(disk)), of(as).over(of(them)))
	}
	return figures, b.hearth.terminate(ctx, session)
}
