// Package remote keeps objects in a store of somebody else that speaks the S3
// API: AWS S3 or a compatible one.
//
// An object appears as a whole: what fits into one part is put by one request,
// and anything larger is a multipart upload, which is aborted when it fails.
// What a killed server had not finished stays with the store as an incomplete
// upload that no reader sees; a lifecycle rule of the bucket clears it.
//
// Writing holds one part in memory for each object, reading a buffer. Whatever
// is tried again for longer than moments is left to the caller.
package remote

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"hearth"
)

// Config says where a store is, and who asks there.
type Config struct {
	Name      string // for messages
	Endpoint  string // URL; "" is AWS S3
	Region    string
	PathStyle bool // the bucket is in the path of addresses, not in the host's name

	// AccessKeyID and SecretAccessKey are a key pair of the store. Without one,
	// credentials come from the environment as they do for every AWS SDK, from
	// Profile if there is one.
	AccessKeyID     string
	SecretAccessKey string
	Profile         string
}

// Store is one store. Its methods may be called from several goroutines.
type Store struct {
	client   *s3.Client
	name     string
	endpoint string
}

var _ hearth.Objects = (*Store)(nil)

// A request is sent a few times, for what passes in a moment. Who waits for a
// store to come back asks again by itself.
const (
	attempts = 3
	between  = 200 * time.Millisecond
)

// New makes a Store. It asks the store nothing: one that is down is no error. It
// returns KindInvalid when the environment's settings cannot be read.
func New(ctx context.Context, c Config) (*Store, error) {
	options := []func(*config.LoadOptions) error{
		config.WithRegion(c.Region),
		config.WithHTTPClient(httpClient()),
	}
	if c.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(c.Profile))
	}
	if c.AccessKeyID != "" {
		options = append(options, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, "")))
	}
	settings, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, &hearth.Error{
			Kind:    hearth.KindInvalid,
			Message: "The settings of AWS's clients, which the store " + c.Name + " needs, cannot be read: correct them, or the profile of [stores." + c.Name + "].",
			Err:     err,
		}
	}
	client := s3.NewFromConfig(settings, func(o *s3.Options) {
		// AWS_ENDPOINT_URL_S3 may well lead to this very server.
		o.BaseEndpoint = nil
		if c.Endpoint != "" {
			o.BaseEndpoint = &c.Endpoint
		}
		o.UsePathStyle = c.PathStyle
		o.Credentials = known{settings.Credentials}
		o.HTTPClient = unredirected(settings.HTTPClient)
		o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts, o.MaxBackoff = attempts, between
		})
		// Each body is signed and has its MD5, which every store checks. The
		// newer checksums are not known to all of them.
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	})
	endpoint := c.Endpoint
	if endpoint == "" {
		endpoint = "AWS S3"
	}
	return &Store{client: client, name: c.Name, endpoint: endpoint}, nil
}

// known marks a want of credentials.
type known struct{ aws.CredentialsProvider }

func (k known) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := k.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		err = credentialsError{err}
	}
	return c, err
}

// unredirected is a client that stays where it is sent: a redirection could
// lead away from TLS.
func unredirected(client aws.HTTPClient) aws.HTTPClient {
	built, ok := client.(*awshttp.BuildableClient)
	if !ok {
		return client
	}
	return &http.Client{
		Transport:     built.GetTransport(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

const maxKey = 1024 // bytes; S3's limit

// locate gives where the object of a URI is to be.
func locate(uri string) (hearth.Location, error) {
	at, err := hearth.ParseLocation(uri)
	switch {
	case err != nil:
		return at, err
	case at.Key == "":
		return at, hearth.Errorf(hearth.KindInvalid, "%q names no object; it has to look like s3://bucket/key.", uri)
	case len(at.Key) > maxKey:
		return at, hearth.Errorf(hearth.KindInvalid, "The key of %.80s… is %d bytes long; at most %d are possible.", uri, len(at.Key), maxKey)
	case !utf8.ValidString(at.Key):
		return at, hearth.Errorf(hearth.KindInvalid, "The key of %q is not valid UTF-8.", uri)
	}
	return at, nil
}

// checkPatience is how long Check waits for the store: somebody waits for it.
const checkPatience = 10 * time.Second

// Check tells whether Put would take an object (see hearth.Objects), by an
// upload that is begun and aborted: that takes the very rights and settings that
// Put does, and leaves no object. Beside hearth.Objects' kinds it returns
// KindDenied.
func (s *Store) Check(ctx context.Context, o hearth.Object) error {
	asking, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	u, err := s.begin(asking, o)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return err
	}
	u.abort(asking)
	return nil
}

// Reach tells whether a bucket is there, or with "" whether the store is, without
// a change to anything. It returns KindNotFound, KindDenied and KindUnavailable.
func (s *Store) Reach(ctx context.Context, bucket string) error {
	asking, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	if bucket == "" {
		_, err := s.client.ListBuckets(asking, &s3.ListBucketsInput{MaxBuckets: aws.Int32(1)})
		return s.failure(ctx, err, hearth.Location{})
	}
	_, err := s.client.HeadBucket(asking, &s3.HeadBucketInput{Bucket: &bucket})
	return s.failure(ctx, err, hearth.Location{Bucket: bucket})
}

// Put writes an object (see hearth.Objects). Beside its kinds it returns
// KindDenied.
func (s *Store) Put(ctx context.Context, o hearth.Object, content io.Reader) error {
	buffer := parts.Get().(*part)
	if err := s.put(ctx, o, buffer, content); err != nil {
		return err // a request that failed may be reading the buffer yet
	}
	parts.Put(buffer)
	return nil
}

// Place is Put: what a store of somebody else has answered for, it keeps.
func (s *Store) Place(ctx context.Context, o hearth.Object, content []byte) (hearth.Unsynced, error) {
	return hearth.Unsynced{}, s.Put(ctx, o, bytes.NewReader(content))
}

// Sync finds nothing to do. A bucket may have moved here from another store,
// with objects that were placed there: these are not here to be synced.
func (s *Store) Sync(context.Context, []hearth.Unsynced) error { return nil }

// Release finds nothing to do either.
func (s *Store) Release([]hearth.Unsynced) {}

func (s *Store) put(ctx context.Context, o hearth.Object, buffer *part, content io.Reader) error {
	text, whole, err := fill(ctx, buffer, content)
	if err != nil {
		return err
	}
	if whole {
		return s.putWhole(ctx, o, text)
	}
	u, err := s.begin(ctx, o)
	if err != nil {
		return err
	}
	if err := u.send(ctx, buffer, text, content); err != nil {
		// A context that is done already would abort nothing.
		aborting, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortPatience)
		defer cancel()
		u.abort(aborting)
		return err
	}
	return nil
}
