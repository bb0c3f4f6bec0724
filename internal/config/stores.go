package config

import (
	"cmp"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"hearth"
)

// Store is a table [stores.NAME]: a store that speaks the S3 API, AWS S3 or
// another one, and the buckets that are there and not on this machine's disk. A
// workgroup whose OutputLocation names such a bucket has its results there.
// NAME is for messages and logs. docs/stores.md tells more.
type Store struct {
	// Buckets are the names of the store's buckets. In a name, * stands for any
	// characters: "lake-*". Where several fit, a name wins over a pattern, and
	// a long pattern over a short one.
	Buckets []string `toml:"buckets"`

	// Endpoint is the store's URL. With http:// nothing on the way is
	// encrypted. Default: AWS S3.
	Endpoint string `toml:"endpoint"`

	// Region is the one that requests are signed for: on AWS, the buckets'.
	// Default: the server's region.
	Region string `toml:"region"`

	// PathStyle has the bucket in the path of addresses (endpoint/bucket/key),
	// as most stores other than AWS S3 want it, and not in the host's name.
	// Default: false.
	PathStyle bool `toml:"path_style"`

	// AccessKeyID and SecretAccessKeyFile are a key pair of the store, both or
	// none. The file has the secret key and nothing else, and is read when the
	// server starts. Default: the environment's, as every AWS SDK looks for it
	// (variables, profile, web identity, the machine's role).
	AccessKeyID         string `toml:"access_key_id"`
	SecretAccessKeyFile string `toml:"secret_access_key_file"`

	// Profile is a profile of AWS's shared configuration files, instead of a
	// key pair. Default: the environment's.
	Profile string `toml:"profile"`
}

// BucketStores says which store has which buckets.
func (c Config) BucketStores() hearth.Buckets {
	buckets := hearth.Buckets{}
	for name, store := range c.Stores {
		buckets[name] = store.Buckets
	}
	return buckets
}

// RegionOf is the region of a store.
func (c Config) RegionOf(s Store) string { return cmp.Or(s.Region, c.Region) }

// SecretAccessKey reads the secret key, "" when there is none. It returns
// KindInvalid.
func (s Store) SecretAccessKey() (string, error) {
	if s.SecretAccessKeyFile == "" {
		return "", nil
	}
	text, err := os.ReadFile(s.SecretAccessKeyFile)
	if err != nil {
		return "", hearth.Errorf(hearth.KindInvalid, "The secret key of a store cannot be read: %w.", err)
	}
	secret := strings.TrimSpace(string(text))
	if secret == "" || strings.ContainsAny(secret, " \t\r\n") {
		return "", hearth.Errorf(hearth.KindInvalid, "%s has to hold the secret key of a store, on one line, and nothing else.", s.SecretAccessKeyFile)
	}
	return secret, nil
}

var (
	storePattern   = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)
	bucketsPattern = regexp.MustCompile(`^[a-z0-9.*-]{1,63}$`)
)

const notBuckets = "a bucket's name has lower-case letters, digits, dots and hyphens, and * where it is a pattern"

func (c Config) checkStores() error {
	owners := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(c.Stores)) {
		if !storePattern.MatchString(name) {
			return hearth.Errorf(hearth.KindInvalid, "The table stores has %q, which no store can be called. Use lower-case letters, digits, - and _.", name)
		}
		s := c.Stores[name]
		if err := s.check("stores." + name + "."); err != nil {
			return err
		}
		for _, bucket := range s.Buckets {
			if other, taken := owners[bucket]; taken && other != name {
				return refuse("stores."+name+".buckets", bucket, "the store "+other+" has it too, and a bucket is in one store")
			}
			owners[bucket] = name
		}
	}
	return nil
}

func (s Store) check(table string) error {
	if len(s.Buckets) == 0 {
		return refuse(table+"buckets", "", `name the store's buckets, like ["results", "lake-*"]`)
	}
	for _, bucket := range s.Buckets {
		if !bucketsPattern.MatchString(bucket) {
			return refuse(table+"buckets", bucket, notBuckets)
		}
	}
	if s.Endpoint != "" {
		u, err := url.Parse(s.Endpoint)
		switch {
		case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "":
			return hearth.Errorf(hearth.KindInvalid, "The setting %sendpoint has to be a URL, like https://s3.example.org.", table)
		case u.User != nil: // its text is not repeated: it may be a secret
			return hearth.Errorf(hearth.KindInvalid, "The setting %sendpoint has a user in it. Use access_key_id and secret_access_key_file.", table)
		}
	}
	switch {
	case s.Region != "" && !regionPattern.MatchString(s.Region):
		return refuse(table+"region", s.Region, "write the name of a region, like us-east-1")
	case (s.AccessKeyID == "") != (s.SecretAccessKeyFile == ""):
		return hearth.Errorf(hearth.KindInvalid, "%saccess_key_id and %[1]ssecret_access_key_file belong together: set both, or none.", table)
	case s.AccessKeyID != "" && s.Profile != "":
		return refuse(table+"profile", s.Profile, "there is a key pair already, so leave out one of them")
	}
	return nil
}

// absolute gives the stores with paths that start at a folder.
func absolute(stores map[string]Store, folder string) {
	for name, s := range stores {
		if f := s.SecretAccessKeyFile; f != "" && !filepath.IsAbs(f) {
			s.SecretAccessKeyFile = filepath.Join(folder, f)
			stores[name] = s
		}
	}
}
