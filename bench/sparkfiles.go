package bench

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
func (b *bench) objectsBySpark(ctx context.Context, peer, ours *objectStore) error {
	const theirs, kept = "versitygw", "kept" // S3A tells stores and settings apart by the bucket
	for name, store := range map[string]*objectStore{theirs: peer, kept: ours} {
		if err := store.makeBucket(ctx, name); err != nil {
			return err
		}
	}
	const s3a = "spark.hadoop.fs.s3a.bucket."
	session, err := ours.server.session(ctx, map[string]string{
		s3a + theirs + ".endpoint":                   peer.server.address,
		s3a + theirs + ".access.key":                 peer.server.keys.AccessKeyID,
		s3a + theirs + ".secret.key":                 peer.server.keys.SecretAccessKey,
		s3a + theirs + ".aws.credentials.provider":   "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
		s3a + theirs + ".directory.marker.retention": "keep",
		s3a + kept + ".directory.marker.retention":   "keep",
	})
	if err != nil {
		return err
	}
	type place struct{ name, uri string }
	disk := place{"local disk", "file://" + filepath.Join(b.scratch, "spark")}
	them := place{peer.name + ", markers kept", "s3a://" + theirs + "/spark"}
	alike := place{ours.name + ", markers kept", "s3a://" + kept + "/spark"}
	as := place{ours.name + ", as sessions have it", "s3a://" + bucket + "/spark"}
	steps := []struct{ what, code string }{
		{fmt.Sprintf("Spark writes %d Parquet files", manyFiles), "spark.range(files * 1000).repartition(files).write.parquet(place)"},
		{fmt.Sprintf("Spark counts the rows of %d Parquet files", manyFiles), "assert spark.read.parquet(place).count() == files * 1000"},
	}
	places := []place{disk, them, alike, as}
	rows := make(map[string]*Row) // by step and place
	for _, step := range steps {
		for _, at := range places {
			rows[step.what+at.name] = b.row(at.name, step.what, "ms")
		}
	}
	for round := range b.Runs + 1 {
		files := manyFiles
		if round == 0 {
			files = 40 // warms up
		}
		for _, at := range places {
			if err := ours.server.calculate(ctx, session, fmt.Sprintf("place, files = %q, %d", fmt.Sprintf("%s/%d", at.uri, round), files)); err != nil {
				return err
			}
			for _, step := range steps {
				began := time.Now()
				if err := ours.server.calculate(ctx, session, step.code); err != nil {
					return fmt.Errorf("%s: %s: %w", at.name, step.what, err)
				}
				if round > 0 {
					rows[step.what+at.name].addSince(began)
				}
			}
		}
	}
	for _, step := range steps {
		floor, theirs := rows[step.what+disk.name], rows[step.what+them.name]
		theirs.over(floor)
		for _, at := range []place{alike, as} {
			rows[step.what+at.name].over(floor, theirs)
		}
	}
	return nil
}
