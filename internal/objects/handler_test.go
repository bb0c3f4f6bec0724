package objects_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/google/go-cmp/cmp"

	"hearth/internal/objects"
)

// serve serves a new store and gives a client of it.
func serve(t *testing.T) (*objects.Store, *s3.Client, string) {
	t.Helper()
	store, _ := open(t)
	server := httptest.NewServer(objects.Handler(store, objects.Options{Region: "eu-central-1", Allow: everyBucket, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}))
	t.Cleanup(server.Close)
	return store, clientOf(server.URL), server.URL
}

// everyBucket lets everybody use all buckets.
func everyBucket(context.Context, string) error { return nil }

func clientOf(url string) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: &url,
		Region:       "eu-central-1",
		UsePathStyle: true,
		Credentials:  aws.AnonymousCredentials{},
		Retryer:      aws.NopRetryer{},
	})
}

// wantCode checks an S3 error by its code and HTTP status.
func wantCode(t *testing.T, err error, code string, status int) {
	t.Helper()
	api, ok := errors.AsType[smithy.APIError](err)
	if !ok || api.ErrorCode() != code {
		t.Errorf("error %v, want code %s", err, code)
	}
	response, ok := errors.AsType[*smithyhttp.ResponseError](err)
	if !ok || response.HTTPStatusCode() != status {
		t.Errorf("error %v, want status %d", err, status)
	}
}

func TestHandler_GetObject(t *testing.T) {
	store, client, _ := serve(t)
	put(t, store, "folder/stdout", "text/plain", "0123456789")
	put(t, store, "folder/", "", "")
	put(t, store, "odd key/ü+%2F\x01", "", "odd")
	get := func(ctx context.Context, in s3.GetObjectInput) (string, *s3.GetObjectOutput, error) {
		in.Bucket = aws.String("hearth")
		if in.Key == nil {
			in.Key = aws.String("folder/stdout")
		}
		out, err := client.GetObject(ctx, &in)
		if err != nil {
			return "", nil, err
		}
		defer out.Body.Close()
		body, err := io.ReadAll(out.Body)
		return string(body), out, err
	}

	t.Run("whole", func(t *testing.T) {
		body, out, err := get(t.Context(), s3.GetObjectInput{})
		if err != nil {
			t.Fatal(err)
		}
		if body != "0123456789" || *out.ContentType != "text/plain" || *out.ETag != `"`+etag(body)+`"` ||
			time.Since(*out.LastModified) > time.Hour || *out.ContentLength != 10 {
			t.Errorf("%q, %+v", body, out)
		}
	})
	for name, c := range map[string]struct{ header, want string }{
		"a range":             {"bytes=2-4", "234"},
		"the end":             {"bytes=-3", "789"},
		"from a byte on":      {"bytes=8-", "89"},
		"more than there is":  {"bytes=8-100", "89"},
		"several ranges: all": {"bytes=0-1,3-4", "0123456789"},
		"another unit: all":   {"lines=0-1", "0123456789"},
		"an end before: all":  {"bytes=3-1", "0123456789"},
		"no numbers: all":     {"bytes=-", "0123456789"},
		"an end beyond int64": {"bytes=8-99999999999999999999", "89"},
	} {
		t.Run("range, "+name, func(t *testing.T) {
			body, _, err := get(t.Context(), s3.GetObjectInput{Range: aws.String(c.header)})
			if err != nil || body != c.want {
				t.Errorf("%q, %v, want %q", body, err, c.want)
			}
		})
	}
	for _, outside := range []string{"bytes=10-", "bytes=99999999999999999999-", "bytes=-0"} {
		t.Run("range outside, "+outside, func(t *testing.T) {
			_, _, err := get(t.Context(), s3.GetObjectInput{Range: &outside})
			wantCode(t, err, "InvalidRange", http.StatusRequestedRangeNotSatisfiable)
		})
	}
	t.Run("odd key", func(t *testing.T) {
		body, _, err := get(t.Context(), s3.GetObjectInput{Key: aws.String("odd key/ü+%2F\x01")})
		if err != nil || body != "odd" {
			t.Errorf("%q, %v", body, err)
		}
	})
	t.Run("folder's own key", func(t *testing.T) {
		body, out, err := get(t.Context(), s3.GetObjectInput{Key: aws.String("folder/")})
		if err != nil || body != "" || *out.ContentType != "binary/octet-stream" {
			t.Errorf("%q, %v", body, err)
		}
	})
	for _, key := range []string{"absent", "folder", "folder/stdout/", "folder//stdout", "../hearth/folder/stdout"} {
		t.Run("no such key: "+key, func(t *testing.T) {
			_, _, err := get(t.Context(), s3.GetObjectInput{Key: &key})
			wantCode(t, err, "NoSuchKey", http.StatusNotFound)
		})
	}
	t.Run("no such bucket", func(t *testing.T) {
		_, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("elsewhere"), Key: aws.String("a")})
		wantCode(t, err, "NoSuchBucket", http.StatusNotFound)
	})
	t.Run("no such version", func(t *testing.T) {
		_, _, err := get(t.Context(), s3.GetObjectInput{VersionId: aws.String("v7")})
		wantCode(t, err, "NoSuchVersion", http.StatusNotFound)
	})

	t.Run("conditions", func(t *testing.T) {
		tag, other := aws.String(`"`+etag("0123456789")+`"`), aws.String(`"other"`)
		bare := aws.String(etag("0123456789"))
		past, future := aws.Time(time.Now().Add(-time.Hour)), aws.Time(time.Now().Add(time.Hour))
		for name, c := range map[string]struct {
			in     s3.GetObjectInput
			status int // 0 when the object is given
			code   string
		}{
			"If-Match, it does":              {s3.GetObjectInput{IfMatch: tag}, 0, ""},
			"If-Match, it does not":          {s3.GetObjectInput{IfMatch: other}, http.StatusPreconditionFailed, "PreconditionFailed"},
			"If-Match, without quotes":       {s3.GetObjectInput{IfMatch: bare}, 0, ""},
			"If-None-Match, without quotes":  {s3.GetObjectInput{IfNoneMatch: bare}, http.StatusNotModified, "NotModified"},
			"If-None-Match, it does not":     {s3.GetObjectInput{IfNoneMatch: other}, 0, ""},
			"If-None-Match, it does":         {s3.GetObjectInput{IfNoneMatch: tag}, http.StatusNotModified, "NotModified"},
			"If-Modified-Since, it was":      {s3.GetObjectInput{IfModifiedSince: past}, 0, ""},
			"If-Modified-Since, it was not":  {s3.GetObjectInput{IfModifiedSince: future}, http.StatusNotModified, "NotModified"},
			"If-Unmodified-Since, it was":    {s3.GetObjectInput{IfUnmodifiedSince: past}, http.StatusPreconditionFailed, "PreconditionFailed"},
			"If-Unmodified-Since, it wasn't": {s3.GetObjectInput{IfUnmodifiedSince: future}, 0, ""},
		} {
			t.Run(name, func(t *testing.T) {
				body, _, err := get(t.Context(), c.in)
				if c.status == 0 {
					if err != nil || body != "0123456789" {
						t.Errorf("%q, %v", body, err)
					}
					return
				}
				response, ok := errors.AsType[*smithyhttp.ResponseError](err)
				if !ok || response.HTTPStatusCode() != c.status {
					t.Errorf("error %v, want status %d", err, c.status)
				}
				if c.code == "PreconditionFailed" {
					wantCode(t, err, c.code, c.status)
				}
			})
		}
	})
}

func TestHandler_Encryption(t *testing.T) {
	store, dir := open(t)
	var log bytes.Buffer
	server := httptest.NewServer(objects.Handler(store, objects.Options{Region: "eu-central-1", Allow: everyBucket, Log: slog.New(slog.NewTextHandler(&log, nil))}))
	defer server.Close()
	client := clientOf(server.URL)
	bucket, key := aws.String("hearth"), aws.String("stdout")
	content := strings.Repeat("0123456789", chunk/5)
	file := putEncrypted(t, store, dir, *key, content)
	put(t, store, "plain", "", "plain")

	t.Run("GetObject", func(t *testing.T) {
		out, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: key})
		if err != nil {
			t.Fatal(err)
		}
		defer out.Body.Close()
		body, err := io.ReadAll(out.Body)
		if err != nil || string(body) != content || *out.ContentLength != int64(len(content)) ||
			*out.ETag != `"`+etag(content)+`"` || out.ServerSideEncryption != types.ServerSideEncryptionAes256 {
			t.Errorf("%d bytes, %v, %+v", len(body), err, out)
		}
	})
	t.Run("a range", func(t *testing.T) {
		out, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: key, Range: aws.String("bytes=65530-65541")})
		if err != nil {
			t.Fatal(err)
		}
		defer out.Body.Close()
		body, err := io.ReadAll(out.Body)
		if err != nil || string(body) != "012345678901" || out.ServerSideEncryption != types.ServerSideEncryptionAes256 {
			t.Errorf("%q, %v, %+v", body, err, out)
		}
	})
	t.Run("HeadObject", func(t *testing.T) {
		for key, want := range map[string]types.ServerSideEncryption{"stdout": types.ServerSideEncryptionAes256, "plain": ""} {
			out, err := client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: bucket, Key: &key})
			if err != nil || out.ServerSideEncryption != want {
				t.Errorf("%s: %+v, %v", key, out, err)
			}
		}
	})
	t.Run("ListObjectsV2", func(t *testing.T) {
		out, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: bucket, Prefix: key})
		if err != nil || len(out.Contents) != 1 || *out.Contents[0].Size != int64(len(content)) || *out.Contents[0].ETag != `"`+etag(content)+`"` {
			t.Errorf("%+v, %v", out, err)
		}
	})

	t.Run("a damaged object is an error, and in the log", func(t *testing.T) {
		if err := os.Truncate(file, 1000); err != nil {
			t.Fatal(err)
		}
		_, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: key})
		wantCode(t, err, "ServiceUnavailable", http.StatusServiceUnavailable)
		server.Close() // the handler has returned
		if !strings.Contains(log.String(), "damaged") {
			t.Errorf("the log is %q", log.String())
		}
	})
}

// Ensure that damage that shows in the middle of an answer is no whole answer.
func TestHandler_DamageInTheMiddle(t *testing.T) {
	store, dir := open(t)
	var log bytes.Buffer
	server := httptest.NewServer(objects.Handler(store, objects.Options{Region: "eu-central-1", Allow: everyBucket, Log: slog.New(slog.NewTextHandler(&log, nil))}))
	content := strings.Repeat("0123456789", chunk)
	file := putEncrypted(t, store, dir, "stdout", content)
	stat, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	if err := errors.Join(os.WriteFile(file, text, 0o600), os.Chtimes(file, stat.ModTime(), stat.ModTime())); err != nil {
		t.Fatal(err)
	}
	out, err := clientOf(server.URL).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("hearth"), Key: aws.String("stdout")})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(out.Body)
	out.Body.Close()
	if !errors.Is(err, io.ErrUnexpectedEOF) || !strings.HasPrefix(content, string(body)) {
		t.Errorf("%d bytes, error %v", len(body), err)
	}
	server.Close() // the handler has returned
	if !strings.Contains(log.String(), "damaged") {
		t.Errorf("the log is %q", log.String())
	}
}

// Ensure that an object which says that it is encoded is given as it is.
func TestHandler_EncodedObject(t *testing.T) {
	store, client, url := serve(t)
	headers := map[string]string{"Content-Encoding": "x-odd", "Cache-Control": "no-cache"}
	if _, err := store.Write(t.Context(), "hearth", "a", objects.Draft{Headers: headers}, strings.NewReader("0123456789")); err != nil {
		t.Fatal(err)
	}
	in := func(part string) *s3.GetObjectInput {
		get := &s3.GetObjectInput{Bucket: aws.String("hearth"), Key: aws.String("a")}
		if part != "" {
			get.Range = &part
		}
		return get
	}
	for part, want := range map[string]string{"": "0123456789", "bytes=2-4": "234"} {
		t.Run("of the range "+part, func(t *testing.T) {
			out, err := client.GetObject(t.Context(), in(part))
			if err != nil {
				t.Fatal(err)
			}
			defer out.Body.Close()
			body, err := io.ReadAll(out.Body)
			if err != nil || string(body) != want || aws.ToInt64(out.ContentLength) != int64(len(want)) || aws.ToString(out.ContentEncoding) != "x-odd" {
				t.Errorf("%q, %v, %+v", body, err, out)
			}
		})
	}
	t.Run("its head", func(t *testing.T) {
		out, err := client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("hearth"), Key: aws.String("a")})
		if err != nil || aws.ToInt64(out.ContentLength) != 10 || aws.ToString(out.CacheControl) != "no-cache" {
			t.Errorf("%+v, %v", out, err)
		}
	})
	for name, value := range map[string]string{"If-Match": `"other"`, "Range": "bytes=10-"} {
		t.Run("a refusal by "+name+" is not encoded", func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), "GET", url+"/hearth/a", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set(name, value)
			response, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil || !strings.Contains(string(body), "<Code>") || response.Header.Get("Content-Encoding") != "" || response.Header.Get("Cache-Control") != "" {
				t.Errorf("%s, %v, %+v", body, err, response.Header)
			}
		})
	}
}

func TestHandler_HeadObject(t *testing.T) {
	store, client, _ := serve(t)
	put(t, store, "a", "text/plain", "0123456789")
	t.Run("describes", func(t *testing.T) {
		out, err := client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("hearth"), Key: aws.String("a")})
		if err != nil {
			t.Fatal(err)
		}
		if *out.ContentLength != 10 || *out.ContentType != "text/plain" || *out.ETag != `"`+etag("0123456789")+`"` {
			t.Errorf("%+v", out)
		}
	})
	t.Run("not found", func(t *testing.T) {
		_, err := client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("hearth"), Key: aws.String("b")})
		if _, ok := errors.AsType[*types.NotFound](err); !ok {
			t.Errorf("error %v", err)
		}
	})
}

func TestHandler_ListObjects(t *testing.T) {
	store, client, url := serve(t)
	keys := []string{"a", "a/", "a/b", "a/c d", "b/ü+", "z"}
	for _, key := range keys {
		put(t, store, key, "", key)
	}
	t.Run("version 2, in pages", func(t *testing.T) {
		pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: aws.String("hearth"), MaxKeys: aws.Int32(2)})
		var got []string
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if int(*page.KeyCount) != len(page.Contents) || *page.MaxKeys != 2 {
				t.Errorf("page %+v", page)
			}
			for _, o := range page.Contents {
				got = append(got, *o.Key)
				if *o.Size != int64(len(*o.Key)) || *o.ETag != `"`+etag(*o.Key)+`"` || o.LastModified == nil {
					t.Errorf("object %+v", o)
				}
			}
		}
		if diff := cmp.Diff(keys, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("version 2, folders", func(t *testing.T) {
		out, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("hearth"), Delimiter: aws.String("/"), StartAfter: aws.String("a")})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Contents) != 1 || *out.Contents[0].Key != "z" || len(out.CommonPrefixes) != 2 ||
			*out.CommonPrefixes[0].Prefix != "a/" || *out.CommonPrefixes[1].Prefix != "b/" {
			t.Errorf("%+v", out)
		}
	})
	t.Run("version 1, in pages of folders", func(t *testing.T) {
		in := &s3.ListObjectsInput{Bucket: aws.String("hearth"), Delimiter: aws.String("/"), MaxKeys: aws.Int32(1)}
		var got []string
		for {
			out, err := client.ListObjects(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range out.Contents {
				got = append(got, *o.Key)
			}
			for _, p := range out.CommonPrefixes {
				got = append(got, *p.Prefix)
			}
			if !*out.IsTruncated {
				break
			}
			in.Marker = out.NextMarker
		}
		if diff := cmp.Diff([]string{"a", "a/", "b/", "z"}, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("encoded keys", func(t *testing.T) {
		out, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("hearth"), Prefix: aws.String("b/"), EncodingType: types.EncodingTypeUrl})
		if err != nil || *out.Contents[0].Key != "b/%C3%BC%2B" {
			t.Errorf("%+v, %v", out, err)
		}
	})
	t.Run("no such bucket", func(t *testing.T) {
		_, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("elsewhere")})
		wantCode(t, err, "NoSuchBucket", http.StatusNotFound)
	})
	for name, query := range map[string]string{
		"max-keys that is no number": "max-keys=many",
		"max-keys below zero":        "max-keys=-1",
		"encoding":                   "encoding-type=base64",
		"continuation token":         "continuation-token=%21",
	} {
		t.Run("refuses a bad "+name, func(t *testing.T) {
			wantError(t, http.MethodGet, url+"/hearth?list-type=2&"+query, http.StatusBadRequest, "InvalidArgument")
		})
	}
}

func TestHandler_Buckets(t *testing.T) {
	_, client, url := serve(t)
	t.Run("ListBuckets", func(t *testing.T) {
		out, err := client.ListBuckets(t.Context(), &s3.ListBucketsInput{})
		if err != nil || len(out.Buckets) != 1 || *out.Buckets[0].Name != "hearth" || out.Buckets[0].CreationDate == nil {
			t.Errorf("%+v, %v", out, err)
		}
	})
	t.Run("HeadBucket", func(t *testing.T) {
		out, err := client.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String("hearth")})
		if err != nil || *out.BucketRegion != "eu-central-1" {
			t.Errorf("%+v, %v", out, err)
		}
	})
	t.Run("HeadBucket of none", func(t *testing.T) {
		_, err := client.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String("elsewhere")})
		if _, ok := errors.AsType[*types.NotFound](err); !ok {
			t.Errorf("error %v", err)
		}
	})
	t.Run("GetBucketLocation", func(t *testing.T) {
		out, err := client.GetBucketLocation(t.Context(), &s3.GetBucketLocationInput{Bucket: aws.String("hearth")})
		if err != nil || out.LocationConstraint != "eu-central-1" {
			t.Errorf("%+v, %v", out, err)
		}
	})
	t.Run("GetBucketVersioning", func(t *testing.T) {
		out, err := client.GetBucketVersioning(t.Context(), &s3.GetBucketVersioningInput{Bucket: aws.String("hearth")})
		if err != nil || out.Status != "" {
			t.Errorf("%+v, %v", out, err)
		}
		_, err = client.GetBucketVersioning(t.Context(), &s3.GetBucketVersioningInput{Bucket: aws.String("elsewhere")})
		wantCode(t, err, "NoSuchBucket", http.StatusNotFound)
	})
	t.Run("an impossible name", func(t *testing.T) {
		wantError(t, http.MethodGet, url+"/Hearth/a", http.StatusBadRequest, "InvalidBucketName")
	})
	t.Run("a key that is too long", func(t *testing.T) {
		wantError(t, http.MethodGet, url+"/hearth/"+strings.Repeat("x", 1025), http.StatusBadRequest, "KeyTooLongError")
	})
}

// Ensure that an operation which is not there is refused by its name.
func TestHandler_CreateBucket(t *testing.T) {
	store, client, url := serve(t)
	create := func(name, region string) error {
		_, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{
			Bucket: &name, CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(region)},
		})
		return err
	}
	t.Run("in the server's region", func(t *testing.T) {
		if err := create("mine", "eu-central-1"); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Bucket(t.Context(), "mine"); err != nil {
			t.Error(err)
		}
		wantCode(t, create("mine", "eu-central-1"), "BucketAlreadyOwnedByYou", http.StatusConflict)
	})
	t.Run("again, in the older region", func(t *testing.T) {
		server := httptest.NewServer(objects.Handler(store, objects.Options{Region: "us-east-1", Allow: everyBucket, Log: slog.New(slog.DiscardHandler)}))
		defer server.Close()
		for range 2 {
			out, err := clientOf(server.URL).CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("older")})
			if err != nil || aws.ToString(out.Location) != "/older" {
				t.Errorf("%+v, %v", out, err)
			}
		}
	})
	t.Run("refused", func(t *testing.T) {
		wantCode(t, create("elsewhere", "eu-west-1"), "IllegalLocationConstraintException", http.StatusBadRequest)
		wantCode(t, create("Capital", "eu-central-1"), "InvalidBucketName", http.StatusBadRequest)
		request, err := http.NewRequestWithContext(t.Context(), "PUT", url+"/broken", strings.NewReader("<Create"))
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if text, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusBadRequest || !strings.Contains(string(text), "MalformedXML") {
			t.Errorf("%s: %s", response.Status, text)
		}
		for _, name := range []string{"elsewhere", "broken"} {
			if _, err := store.Bucket(t.Context(), name); err == nil {
				t.Errorf("bucket %s was made", name)
			}
		}
	})
}

func TestHandler_NotImplemented(t *testing.T) {
	_, _, url := serve(t)
	for _, c := range []struct{ method, address, operation string }{
		{"GET", "/hearth/a?acl", "GetObjectAcl"},
		{"GET", "/hearth/a?attributes", "GetObjectAttributes"},
		{"PUT", "/hearth/a?acl", "PutObjectAcl"},
		{"POST", "/hearth/a?select&select-type=2", "SelectObjectContent"},
		{"GET", "/hearth?versions", "ListObjectVersions"},
		{"GET", "/hearth?policy", "GetBucketPolicy"},
		{"PUT", "/hearth?lifecycle", "PutBucketLifecycleConfiguration"},
	} {
		t.Run(c.operation, func(t *testing.T) {
			message := wantError(t, c.method, url+c.address, http.StatusNotImplemented, "NotImplemented")
			if !strings.Contains(message, c.operation+" ") {
				t.Errorf("message %q does not name %s", message, c.operation)
			}
		})
	}
	t.Run("no operation at all", func(t *testing.T) {
		wantError(t, "DELETE", url+"/", http.StatusMethodNotAllowed, "MethodNotAllowed")
	})
}

func wantError(t *testing.T, method, url string, status int, code string) (message string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var body struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
		Message string
	}
	if err := xml.NewDecoder(response.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != status || body.Code != code {
		t.Errorf("%s, %+v; want %s, %s", response.Status, body, strconv.Itoa(status), code)
	}
	return body.Message
}
