package main

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

// objectStore is an S3 server and what was measured of it.
type objectStore struct {
	name    string
	server  *server
	client  *s3.Client
	figures map[string][]float64
}

func newObjectStore(name string, s *server) *objectStore {
	return &objectStore{name, s, s3.New(s3.Options{
		BaseEndpoint: &s.address, Region: region, UsePathStyle: true, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(s.keys.AccessKeyID, s.keys.SecretAccessKey, ""),
	}), make(map[string][]float64)}
}

func (s *objectStore) makeBucket(ctx context.Context, name string) error {
	if _, err := s.client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name}); err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	return nil
}

// objects measures Hearth's S3 API beside versitygw's, with the same clients.
func (b *bench) objects(ctx context.Context, o options) ([]figure, error) {
	gateway, err := b.startVersitygw(ctx)
	if err != nil {
		return nil, err
	}
	defer gateway.stop()
	peer, us := newObjectStore("versitygw", gateway), newObjectStore("hearth", b.hearth)
	figures, err := objectsBySDK(ctx, o, peer, us)
	if err != nil {
		return nil, err
	}
	bySpark, err := b.objectsBySpark(ctx, o, peer, us)
	return append(figures, bySpark...), err
}

// objectsBySDK has the two stores take turns, so that whatever else the machine
// does meets both.
func objectsBySDK(ctx context.Context, o options, peer, us *objectStore) ([]figure, error) {
	stores := []*objectStore{peer, us}
	for _, store := range stores {
		if err := store.makeBucket(ctx, bucket); err != nil {
			return nil, err
		}
	}

	small := fmt.Sprintf("4 KiB object, %d connections", o.clients)
	var measures []objectMeasure
	for turn := range slicesOfPolling {
		measures = append(measures, objectMeasure{"put a " + small, "requests/s", o.putSmall(turn)})
	}
	for range slicesOfPolling {
		measures = append(measures, objectMeasure{"get a " + small, "requests/s", o.getSmall()})
	}
	for range o.runs {
		measures = append(
			measures,
			objectMeasure{"list 10,000 keys, page by page", "ms", listSmall},
			objectMeasure{"put 1 GiB in one request", "MB/s", large.put},
			objectMeasure{"put 1 GiB in parts of 16 MiB, 4 at once", "MB/s", large.putInParts},
			objectMeasure{"get 1 GiB", "MB/s", large.get},
		)
	}
	for range o.runs {
		measures = append(
			measures,
			objectMeasure{"put 4 GiB in parts of 8 MiB, 4 at once", "MB/s", huge.putInParts},
			objectMeasure{"get 4 GiB", "MB/s", huge.get},
			objectMeasure{"get 4 GiB in ranges of 8 MiB, 4 at once", "MB/s", huge.getInRanges},
			objectMeasure{"delete 4 GiB", "ms", huge.remove},
		)
	}
	var order []objectMeasure
	for _, m := range measures {
		if _, again := us.figures[m.what]; !again {
			order = append(order, m)
		}
		for _, store := range stores {
			value, err := m.of(ctx, store.client)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", store.name, m.what, err)
			}
			store.figures[m.what] = append(store.figures[m.what], value)
		}
	}

	var figures []figure
	for _, m := range order {
		floor := figureOf(peer.name+": "+m.what, m.unit, peer.figures[m.what])
		figures = append(figures, floor, figureOf(us.name+": "+m.what, m.unit, us.figures[m.what]).over(floor))
	}
	memory, err := peakMemory(peer, us)
	return append(figures, memory...), err
}

// objectMeasure gives one value each time.
type objectMeasure struct {
	what, unit string
	of         func(context.Context, *s3.Client) (float64, error)
}

func smallKey(n int) *string { return aws.String(fmt.Sprintf("small/%02d/%05d", n%64, n)) }

// putSmall writes one share of the small objects.
func (o options) putSmall(turn int) func(context.Context, *s3.Client) (float64, error) {
	content := bytes.Repeat([]byte("x"), smallObject)
	return func(ctx context.Context, client *s3.Client) (float64, error) {
		const share = smallObjects / slicesOfPolling
		var next atomic.Int64
		failures := make([]error, o.clients)
		begin := time.Now()
		var putting sync.WaitGroup
		for i := range o.clients {
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
		return share / time.Since(begin).Seconds(), errors.Join(failures...)
	}
}

func (o options) getSmall() func(context.Context, *s3.Client) (float64, error) {
	return func(ctx context.Context, client *s3.Client) (float64, error) {
		var next atomic.Int64
		return rateOf(ctx, o.clients, o.seconds/slicesOfPolling, func(ctx context.Context) error {
			// A step that has no divisor in common with the count meets all of them.
			n := int(next.Add(1)) * 7919 % smallObjects
			_, err := get(ctx, client, smallKey(n))
			return err
		})
	}
}

func get(ctx context.Context, client *s3.Client, key *string) (int64, error) {
	out, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: key})
	if err != nil {
		return 0, err
	}
	defer out.Body.Close()
	return io.Copy(io.Discard, out.Body)
}

func listSmall(ctx context.Context, client *s3.Client) (float64, error) {
	begin := time.Now()
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
	return milliseconds(time.Since(begin)), nil
}
