package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

const (
	smallObject  = 4 << 10
	smallObjects = 10_000
	bucket       = "bench"
)

const (
	clientsOfObjects = 8 // connections that put and get small objects
	slicesOfObjects  = 5 // rates of each
)

// objectStore is an S3 server and what was measured of it.
type objectStore struct {
	name   string
	server *server
	client *s3.Client
}

func newObjectStore(name string, s *server) *objectStore {
	return &objectStore{name, s, s3.New(s3.Options{
		BaseEndpoint: &s.address, Region: region, UsePathStyle: true, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(s.keys.AccessKeyID, s.keys.SecretAccessKey, ""),
	})}
}

func (s *objectStore) makeBucket(ctx context.Context, name string) error {
	if _, err := s.client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name}); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	return nil
}

// objects measures Hearth's S3 API beside versitygw's, with the same clients.
func objects(ctx context.Context, b *bench) (err error) {
	gateway, err := b.startVersitygw(ctx)
	if err != nil || gateway == nil {
		return err
	}
	defer func() { err = errors.Join(err, gateway.close()) }()
	s, err := b.serve(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	peer, ours := newObjectStore("versitygw", gateway), newObjectStore(us, s)
	if err := b.objectsBySDK(ctx, peer, ours); err != nil {
		return err
	}
	return b.objectsBySpark(ctx, peer, ours)
}

// objectMeasure gives one value each time.
type objectMeasure struct {
	what, unit string
	times      int
	of         func(ctx context.Context, client *s3.Client, turn int) (float64, error)
}

// objectsBySDK has the two stores take turns, so that whatever else the machine
// does meets both.
func (b *bench) objectsBySDK(ctx context.Context, peer, ours *objectStore) error {
	for _, store := range []*objectStore{peer, ours} {
		if err := store.makeBucket(ctx, bucket); err != nil {
			return err
		}
	}
	small := fmt.Sprintf("4 KiB object, %d connections", clientsOfObjects)
	for _, m := range []objectMeasure{
		{"put a " + small, "requests/s", slicesOfObjects, putSmall},
		{"get a " + small, "requests/s", slicesOfObjects, b.getSmall},
		{"list 10,000 keys, page by page", "ms", b.Runs, listSmall},
		{"put 1 GiB in one request", "MB/s", b.Runs, large.put},
		{"put 1 GiB in parts of 16 MiB, 4 at once", "MB/s", b.Runs, large.putInParts},
		{"get 1 GiB", "MB/s", b.Runs, large.get},
		{"put 4 GiB in parts of 8 MiB, 4 at once", "MB/s", b.Runs, huge.putInParts},
		{"get 4 GiB", "MB/s", b.Runs, huge.get},
		{"get 4 GiB in ranges of 8 MiB, 4 at once", "MB/s", b.Runs, huge.getInRanges},
		{"delete 4 GiB", "ms", 1, huge.remove},
	} {
		rows := map[*objectStore]*Row{peer: b.row(peer.name, m.what, m.unit), ours: b.row(ours.name, m.what, m.unit)}
		for turn := range m.times {
			for _, store := range []*objectStore{peer, ours} {
				value, err := m.of(ctx, store.client, turn)
				if err != nil {
					return fmt.Errorf("%s: %s: %w", store.name, m.what, err)
				}
				rows[store].add(value)
			}
		}
		rows[ours].over(rows[peer])
	}
	return b.peakMemory(peer, ours)
}

func smallKey(n int) *string { return aws.String(fmt.Sprintf("small/%02d/%05d", n%64, n)) }

// putSmall writes one share of the small objects.
func putSmall(ctx context.Context, client *s3.Client, turn int) (float64, error) {
	const share = smallObjects / slicesOfObjects
	content := bytes.Repeat([]byte("x"), smallObject)
	var next atomic.Int64
	failures := make([]error, clientsOfObjects)
	began := time.Now()
	var putting sync.WaitGroup
	for i := range clientsOfObjects {
		putting.Go(func() {
			for failures[i] == nil {
				n := int(next.Add(1)) - 1
				if n >= share {
					return
				}
				_, failures[i] = client.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: smallKey(turn*share + n), Body: bytes.NewReader(content)})
			}
		})
	}
	putting.Wait()
	return share / time.Since(began).Seconds(), errors.Join(failures...)
}

func (b *bench) getSmall(ctx context.Context, client *s3.Client, _ int) (float64, error) {
	var next atomic.Int64
	return rateOf(ctx, clientsOfObjects, b.Period/slicesOfObjects, func(ctx context.Context) error {
		// A step that has no divisor in common with the count meets all of them.
		n := int(next.Add(1)) * 7919 % smallObjects
		_, err := get(ctx, client, smallKey(n))
		return err
	})
}

func get(ctx context.Context, client *s3.Client, key *string) (int64, error) {
	out, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: key})
	if err != nil {
		return 0, err
	}
	defer out.Body.Close()
	return io.Copy(io.Discard, out.Body)
}

func listSmall(ctx context.Context, client *s3.Client, _ int) (float64, error) {
	began := time.Now()
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: aws.String(bucket), Prefix: aws.String("small/")})
	keys := 0
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return 0, err
		}
		keys += len(page.Contents)
	}
	if keys != smallObjects {
		return 0, fmt.Errorf("%d keys are listed, of %d", keys, smallObjects)
	}
	return milliseconds(time.Since(began)), nil
}
