package remote

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"hearth"
)

const (
	// partSize is what an upload holds in memory. S3 takes parts from 5 MiB on.
	partSize = 8 << 20

	// maxParts is S3's limit. Objects may have 78 GiB by it.
	maxParts = 10_000

	// abortPatience is how long giving up an upload may take: a server that
	// leaves waits for it.
	abortPatience = 5 * time.Second
)

type part [partSize]byte

var parts = sync.Pool{New: func() any { return new(part) }}

// fill reads one part, and reports whether the content ended in it.
func fill(ctx context.Context, buffer *part, content io.Reader) (text []byte, last bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	n, err := io.ReadFull(content, buffer[:])
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return buffer[:n], true, nil
	}
	return buffer[:n], false, err
}

// putWhole puts an object by one request.
func (s *Store) putWhole(ctx context.Context, o hearth.Object, text []byte) error {
	at, err := locate(o.URI)
	if err != nil {
		return err
	}
	e, err := encryptionOf(o)
	if err != nil {
		return err
	}
	answer, err := s.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &at.Bucket, Key: &at.Key, ContentType: given(o.ContentType),
		Body: bytes.NewReader(text), ContentLength: aws.Int64(int64(len(text))), ContentMD5: md5Of(text),
		ServerSideEncryption: e.method, SSEKMSKeyId: e.key,
		ACL: acl(o.ACL), ExpectedBucketOwner: given(o.BucketOwner),
	})
	if err != nil {
		return s.failure(ctx, err, at)
	}
	return s.confirm(at, e, answer.ServerSideEncryption)
}

// upload is a multipart upload that has begun.
type upload struct {
	store *Store
	at    hearth.Location
	owner *string
	id    *string
}

func (s *Store) begin(ctx context.Context, o hearth.Object) (upload, error) {
	at, err := locate(o.URI)
	if err != nil {
		return upload{}, err
	}
	e, err := encryptionOf(o)
	if err != nil {
		return upload{}, err
	}
	answer, err := s.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: &at.Bucket, Key: &at.Key, ContentType: given(o.ContentType),
		ServerSideEncryption: e.method, SSEKMSKeyId: e.key,
		ACL: acl(o.ACL), ExpectedBucketOwner: given(o.BucketOwner),
	})
	if err != nil {
		return upload{}, s.failure(ctx, err, at)
	}
	u := upload{store: s, at: at, owner: given(o.BucketOwner), id: answer.UploadId}
	if err := s.confirm(at, e, answer.ServerSideEncryption); err != nil {
		u.abort(ctx)
		return upload{}, err
	}
	return u, nil
}

// send uploads a first part and then the rest of the content, one part at a
// time in the buffer.
func (u upload) send(ctx context.Context, buffer *part, text []byte, content io.Reader) error {
	var sent []types.CompletedPart
	for last := false; ; {
		number := aws.Int32(int32(len(sent) + 1))
		answer, err := u.store.client.UploadPart(ctx, &s3.UploadPartInput{
			Bucket: &u.at.Bucket, Key: &u.at.Key, UploadId: u.id, PartNumber: number, ExpectedBucketOwner: u.owner,
			Body: bytes.NewReader(text), ContentLength: aws.Int64(int64(len(text))), ContentMD5: md5Of(text),
		})
		if err != nil {
			return u.store.failure(ctx, err, u.at)
		}
		sent = append(sent, types.CompletedPart{PartNumber: number, ETag: answer.ETag})
		if last {
			break
		}
		if text, last, err = fill(ctx, buffer, content); err != nil {
			return err
		}
		if last && len(text) == 0 {
			break
		}
		if len(sent) == maxParts {
			return hearth.Errorf(hearth.KindInvalid, "%s would be larger than the %d GiB that an object in the store %s can have.", u.at, maxParts*partSize>>30, u.store.name)
		}
	}
	_, err := u.store.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &u.at.Bucket, Key: &u.at.Key, UploadId: u.id, ExpectedBucketOwner: u.owner,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: sent},
	})
	return u.store.failure(ctx, err, u.at)
}

// abort gives an upload up. One that cannot be aborted stays until the store
// clears it, which nobody else is kept from by that.
func (u upload) abort(ctx context.Context) {
	u.store.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
		Bucket: &u.at.Bucket, Key: &u.at.Key, UploadId: u.id, ExpectedBucketOwner: u.owner,
	})
}

// encryption is hearth.Encryption in the API's words.
type encryption struct {
	method types.ServerSideEncryption
	key    *string
}

func encryptionOf(o hearth.Object) (encryption, error) {
	e := o.Encryption
	switch {
	case e == nil:
		return encryption{}, nil
	case e.Option == hearth.SSES3:
		return encryption{method: types.ServerSideEncryptionAes256}, e.Check()
	case e.Option == hearth.SSEKMS:
		return encryption{method: types.ServerSideEncryptionAwsKms, key: &e.KMSKey}, e.Check()
	}
	return encryption{}, hearth.Errorf(hearth.KindInvalid, "There is no encryption %s here: this server encrypts nothing before it goes to a store. Choose %s or %s, which the store carries out, or none.", e.Option, hearth.SSES3, hearth.SSEKMS)
}

// confirm refuses a store that says nothing of the encryption that it was asked
// for: some take the request and leave the content as it is.
func (s *Store) confirm(at hearth.Location, asked encryption, done types.ServerSideEncryption) error {
	if asked.method == "" || asked.method == done {
		return nil
	}
	return hearth.Errorf(hearth.KindInvalid, "The store %s does not confirm that %s is encrypted as it was asked to (%s). Choose encryption that the store has, or none.", s.name, at, asked.method)
}

// acl gives Athena's name of a canned ACL in S3's words.
func acl(option string) types.ObjectCannedACL {
	if option == hearth.BucketOwnerFullControl {
		return types.ObjectCannedACLBucketOwnerFullControl
	}
	return ""
}

func md5Of(text []byte) *string {
	sum := md5.Sum(text)
	return aws.String(base64.StdEncoding.EncodeToString(sum[:]))
}

// given is nil for what was not given.
func given(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
