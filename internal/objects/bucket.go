package objects

import (
	"context"
	"io/fs"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"hearth"
	"hearth/internal/faultpoint"
)

// Bucket is a named set of objects.
type Bucket struct {
	Name      string
	CreatedAt time.Time
}

// reserved names would hide another address of the server, or be hidden by it.
// Addresses of two letters cannot collide: bucket names are longer.
var reserved = []string{"metrics"}

var (
	bucketPattern  = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	bucketPrefixes = []string{"xn--", "sthree-", "amzn-s3-demo-"}
	bucketSuffixes = []string{"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"}
)

// CheckBucketName refuses what S3 does not take as the name of a general
// purpose bucket, and names that the server has another use for.
func CheckBucketName(name string) error {
	_, notAddress := netip.ParseAddr(name)
	switch {
	case !bucketPattern.MatchString(name), strings.Contains(name, ".."), notAddress == nil:
		return faultf(invalidBucketName, "%q cannot be the name of a bucket: it takes 3 to 63 lower-case letters, digits, dots and hyphens, a letter or digit at both ends, no two dots in a row, and not the form of an IP address.", name)
	case slices.ContainsFunc(bucketPrefixes, func(p string) bool { return strings.HasPrefix(name, p) }),
		slices.ContainsFunc(bucketSuffixes, func(s string) bool { return strings.HasSuffix(name, s) }):
		return faultf(invalidBucketName, "%q cannot be the name of a bucket: S3 reserves its beginning or end.", name)
	case slices.Contains(reserved, name):
		return faultf(invalidBucketName, "%q cannot be the name of a bucket: the server has that address for itself.", name)
	}
	return nil
}

// CreateBucket makes a bucket. It returns KindExists when there is one of that
// name and KindInvalid for an impossible name.
func (s *Store) CreateBucket(_ context.Context, name string) error {
	if err := CheckBucketName(name); err != nil {
		return err
	}
	// A folder that holds the bucket's file appears as a whole, and a rename
	// onto it fails because it is never empty.
	staged := s.temporary()
	defer s.root.RemoveAll(staged)
	if err := s.root.Mkdir(staged, 0o700); err != nil {
		return fileError(err, "making a bucket")
	}
	if err := s.root.WriteFile(path.Join(staged, bucketFile), nil, 0o600); err != nil {
		return fileError(err, "making a bucket")
	}
	faultpoint.At("bucket", "to be put in place")
	if err := s.root.Rename(staged, name); err != nil {
		if _, err := s.bucket(name); err == nil {
			return faultf(bucketExists, "Bucket %s exists already.", name)
		}
		return fileError(err, "making a bucket")
	}
	faultpoint.At("bucket", "in place")
	return s.sync(name, ".")
}

// Buckets lists all buckets by name.
func (s *Store) Buckets(context.Context) ([]Bucket, error) {
	entries, err := fs.ReadDir(s.root.FS(), ".")
	if err != nil {
		return nil, fileError(err, "listing buckets")
	}
	var buckets []Bucket
	for _, e := range entries {
		if b, err := s.bucket(e.Name()); err == nil {
			buckets = append(buckets, b)
		}
	}
	return buckets, nil
}

// Bucket returns KindNotFound when there is none of that name and KindInvalid
// for an impossible name.
func (s *Store) Bucket(_ context.Context, name string) (Bucket, error) { return s.bucket(name) }

func (s *Store) bucket(name string) (Bucket, error) {
	if err := CheckBucketName(name); err != nil {
		return Bucket{}, err
	}
	info, err := s.root.Stat(path.Join(name, bucketFile))
	if isNotExist(err) {
		return Bucket{}, faultf(noSuchBucket, "Bucket %s does not exist. Make it, for example with `aws s3 mb s3://%s`.", name, name)
	}
	if err != nil {
		return Bucket{}, hearth.Internal(err, "looking at a bucket")
	}
	return Bucket{Name: name, CreatedAt: info.ModTime()}, nil
}
