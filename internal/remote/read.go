package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"hearth"
)

// Open opens an object (see hearth.Objects). Reads are bound to ctx. Beside its
// kinds it returns KindDenied, which stores also answer for an object that is
// not there to those who may not list its bucket.
func (s *Store) Open(ctx context.Context, uri string) (io.ReadSeekCloser, error) {
	at, err := locate(uri)
	if err != nil {
		return nil, err
	}
	answer, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &at.Bucket, Key: &at.Key})
	if err != nil {
		return nil, s.failure(ctx, err, at)
	}
	if answer.ContentLength == nil || answer.ETag == nil {
		answer.Body.Close()
		return nil, hearth.Errorf(hearth.KindUnavailable, "The store %s does not tell the length and the ETag of %s.", s.name, at)
	}
	return &object{ctx: ctx, store: s, at: at, size: *answer.ContentLength, etag: *answer.ETag, body: answer.Body}, nil
}

// object reads one object, whatever comes to be in its place: each request asks
// for the same ETag.
type object struct {
	ctx   context.Context
	store *Store
	at    hearth.Location
	size  int64
	etag  string

	next int64         // of what is read next
	body io.ReadCloser // nil when there is none
	from int64         // where body is
}

// Seek asks the store nothing: a Read does.
func (o *object) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += o.next
	case io.SeekEnd:
		offset += o.size
	}
	if offset < 0 {
		return 0, errors.New("seek to before the beginning of " + o.at.String())
	}
	o.next = offset
	return offset, nil
}

// Read goes on after a connection that broke.
func (o *object) Read(p []byte) (int, error) {
	if o.next >= o.size {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	var broken error
	for range attempts {
		if err := o.position(); err != nil {
			return 0, err
		}
		n, err := o.body.Read(p)
		o.next, o.from = o.next+int64(n), o.from+int64(n)
		if err != nil {
			o.Close()
		}
		if n > 0 {
			return n, nil
		}
		broken = err
	}
	if broken == io.EOF { // too early
		broken = io.ErrUnexpectedEOF
	}
	return 0, o.store.failure(o.ctx, broken, o.at)
}

// position has the body where the next read is.
func (o *object) position() error {
	if o.body != nil && o.from == o.next {
		return nil
	}
	o.Close()
	answer, err := o.store.client.GetObject(o.ctx, &s3.GetObjectInput{
		Bucket: &o.at.Bucket, Key: &o.at.Key, IfMatch: &o.etag, Range: aws.String(fmt.Sprintf("bytes=%d-", o.next)),
	})
	if err != nil {
		return o.store.failure(o.ctx, err, o.at)
	}
	if !strings.HasPrefix(aws.ToString(answer.ContentRange), fmt.Sprintf("bytes %d-", o.next)) {
		answer.Body.Close()
		return hearth.Errorf(hearth.KindUnavailable, "The store %s does not give the part of %s that it was asked for.", o.store.name, o.at)
	}
	o.body, o.from = answer.Body, o.next
	return nil
}

// Close ends the reading.
func (o *object) Close() error {
	if o.body == nil {
		return nil
	}
	err := o.body.Close()
	o.body = nil
	return err
}
