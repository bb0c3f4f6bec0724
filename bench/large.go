package bench

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// largeObject is an object that is written in parts of one size, and read in
// ranges of it.
type largeObject struct {
	key        string
	size, part int64
}

var (
	large = largeObject{"large", 1 << 30, 16 << 20}
	huge  = largeObject{"huge", 4 << 30, 8 << 20} // parts as boto3 and the AWS CLI make them
)

// partsAtOnce is how many requests write or read parts at a time.
const partsAtOnce = 4

// content is what large objects have: blocks that are all different.
type content struct{}

// block is repeated, with its number at its beginning.
var block = func() []byte {
	b := make([]byte, 1<<20)
	for i := range b {
		b[i] = byte(i * i >> 8)
	}
	return b
}()

func (content) ReadAt(p []byte, at int64) (int, error) {
	for n := 0; n < len(p); {
		number, within := (at+int64(n))/int64(len(block)), (at+int64(n))%int64(len(block))
		copied := copy(p[n:], block[within:])
		if stamp := binary.BigEndian.AppendUint64(nil, uint64(number)); within < int64(len(stamp)) {
			copy(p[n:], stamp[within:])
		}
		n += copied
	}
	return len(p), nil
}

func (o largeObject) rate(began time.Time) float64 {
	return float64(o.size) / 1e6 / time.Since(began).Seconds()
}

func (o largeObject) put(ctx context.Context, client *s3.Client, _ int) (float64, error) {
	began := time.Now()
	_, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: &o.key, Body: io.NewSectionReader(content{}, 0, o.size)})
	return o.rate(began), err
}

func (o largeObject) putInParts(ctx context.Context, client *s3.Client, _ int) (float64, error) {
	began := time.Now()
	upload, err := client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: aws.String(bucket), Key: &o.key, ChecksumAlgorithm: types.ChecksumAlgorithmCrc32})
	if err != nil {
		return 0, err
	}
	parts := make([]types.CompletedPart, o.size/o.part)
	err = o.eachPart(func(n int, at int64) error {
		part, err := client.UploadPart(ctx, &s3.UploadPartInput{
			Bucket: aws.String(bucket), Key: &o.key, UploadId: upload.UploadId, PartNumber: aws.Int32(int32(n + 1)),
			Body: io.NewSectionReader(content{}, at, o.part), ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
		})
		if err == nil {
			parts[n] = types.CompletedPart{PartNumber: aws.Int32(int32(n + 1)), ETag: part.ETag, ChecksumCRC32: part.ChecksumCRC32}
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	_, err = client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: aws.String(bucket), Key: &o.key, UploadId: upload.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	return o.rate(began), err
}

// eachPart calls for each part and where it begins, a few at a time.
func (o largeObject) eachPart(call func(n int, at int64) error) error {
	failures := make([]error, partsAtOnce)
	var next atomic.Int64
	var calling sync.WaitGroup
	for i := range partsAtOnce {
		calling.Go(func() {
			for failures[i] == nil {
				n := next.Add(1) - 1
				if n*o.part >= o.size {
					return
				}
				failures[i] = call(int(n), n*o.part)
			}
		})
	}
	calling.Wait()
	return errors.Join(failures...)
}

func (o largeObject) get(ctx context.Context, client *s3.Client, _ int) (float64, error) {
	began := time.Now()
	n, err := get(ctx, client, &o.key)
	if err == nil && n != o.size {
		err = fmt.Errorf("%d bytes came, of %d", n, o.size)
	}
	return o.rate(began), err
}

// getInRanges also compares every byte with what was put.
func (o largeObject) getInRanges(ctx context.Context, client *s3.Client, _ int) (float64, error) {
	began := time.Now()
	err := o.eachPart(func(_ int, at int64) error {
		out, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: &o.key, Range: aws.String(fmt.Sprintf("bytes=%d-%d", at, at+o.part-1))})
		if err != nil {
			return err
		}
		defer out.Body.Close()
		return o.compare(out.Body, at)
	})
	return o.rate(began), err
}

func (o largeObject) compare(got io.Reader, at int64) error {
	want, buffer := io.NewSectionReader(content{}, at, o.part), [2][]byte{make([]byte, 64<<10), make([]byte, 64<<10)}
	for {
		n, err := io.ReadFull(want, buffer[0])
		if err == io.EOF {
			return nil
		}
		if _, err := io.ReadFull(got, buffer[1][:n]); err != nil {
			return err
		}
		if !bytes.Equal(buffer[0][:n], buffer[1][:n]) {
			return fmt.Errorf("what was got of %s is not what was put, in the part from byte %d on", o.key, at)
		}
	}
}

// peakMemory is what each server had in memory at the most, since it started.
func (b *bench) peakMemory(peer, ours *objectStore) error {
	const what = "resident memory at the most, until here"
	floor, us := b.row(peer.name, what, "MiB"), b.ours(what, "MiB")
	for store, row := range map[*objectStore]*Row{peer: floor, ours: us} {
		peak, err := statusMiB(store.server.process.Process.Pid, "VmHWM")
		if err != nil {
			return err
		}
		row.add(peak)
	}
	us.over(floor)
	return nil
}

// remove makes room on the disk.
func (o largeObject) remove(ctx context.Context, client *s3.Client, _ int) (float64, error) {
	began := time.Now()
	_, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: &o.key})
	return milliseconds(time.Since(began)), err
}
