package hearth

import "strings"

// Location is where an object is. A Key that is empty or ends in a slash may
// also stand for all keys that begin with it.
type Location struct {
	Bucket string
	Key    string // whether it can be an object's, stores say
}

// ParseLocation takes an s3:// URI apart, with a scheme in either case, as Athena
// has it in NotebookS3LocationUri (API_ImportNotebook). It returns KindInvalid
// for what is none.
func ParseLocation(uri string) (Location, error) {
	scheme, rest, _ := strings.Cut(uri, "://")
	bucket, key, found := strings.Cut(rest, "/")
	if !strings.EqualFold(scheme, "s3") || !found || bucket == "" {
		return Location{}, Errorf(KindInvalid, "%q is not the URI of an object; it has to look like s3://bucket/key.", uri)
	}
	return Location{bucket, key}, nil
}

// String gives the URI.
func (l Location) String() string { return "s3://" + l.Bucket + "/" + l.Key }
