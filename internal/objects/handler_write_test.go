package objects_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"

	"hearth"
	"hearth/internal/objects"
)

var hearthBucket = aws.String("hearth")

// send sends a request as a client that is no SDK may, and gives the status and
// the body of the answer.
func send(t *testing.T, method, url, body string, header ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func TestHandler_PutObject(t *testing.T) {
	store, client, url := serve(t)
	for _, algorithm := range types.ChecksumAlgorithm("").Values() {
		t.Run("with the checksum "+string(algorithm), func(t *testing.T) {
			switch algorithm {
			case types.ChecksumAlgorithmCrc32, types.ChecksumAlgorithmCrc32c, types.ChecksumAlgorithmCrc64nvme, types.ChecksumAlgorithmSha1, types.ChecksumAlgorithmSha256:
			default:
				_, err := client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: hearthBucket, Key: aws.String("a"), ChecksumAlgorithm: algorithm})
				wantCode(t, err, "InvalidRequest", http.StatusBadRequest)
				return
			}
			_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: hearthBucket, Key: aws.String("a"), Body: strings.NewReader("content"), ChecksumAlgorithm: algorithm})
			if err != nil {
				t.Fatal(err)
			}
			// The SDK compares what it reads with the checksum that is answered.
			out, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: hearthBucket, Key: aws.String("a"), ChecksumMode: types.ChecksumModeEnabled})
			if err != nil {
				t.Fatal(err)
			}
			defer out.Body.Close()
			if body, err := io.ReadAll(out.Body); err != nil || string(body) != "content" || out.ChecksumType != types.ChecksumTypeFullObject {
				t.Errorf("%q, %v, %+v", body, err, out)
			}
			if info := stat(t, store, "a"); info.Checksum == nil || info.Checksum.Algorithm != string(algorithm) {
				t.Errorf("kept %+v", info)
			}
		})
	}

	for name, c := range map[string]struct {
		body   string
		header []string
		code   string
	}{
		"another MD5":                       {"content", []string{"Content-MD5", "AAAAAAAAAAAAAAAAAAAAAA=="}, "BadDigest"},
		"no MD5":                            {"content", []string{"Content-MD5", "short"}, "InvalidDigest"},
		"another checksum":                  {"content", []string{"X-Amz-Checksum-Crc32", "AAAAAA=="}, "BadDigest"},
		"no checksum":                       {"content", []string{"X-Amz-Checksum-Crc32", "?"}, "InvalidRequest"},
		"a checksum of another length":      {"content", []string{"X-Amz-Checksum-Crc32", "AAAA"}, "InvalidRequest"},
		"a checksum by what nobody knows":   {"content", []string{"X-Amz-Checksum-Crc5", "AAAAAA=="}, "InvalidRequest"},
		"a checksum that is not the named":  {"content", []string{"X-Amz-Checksum-Crc32", "AAAAAA==", "X-Amz-Sdk-Checksum-Algorithm", "SHA1"}, "InvalidRequest"},
		"an MD5 that is empty":              {"content", []string{"Content-MD5", ""}, "InvalidDigest"},
		"two checksums":                     {"content", []string{"X-Amz-Checksum-Crc32", "AAAAAA==", "X-Amz-Checksum-Sha1", "AAAA"}, "InvalidRequest"},
		"a checksum that nobody knows":      {"content", []string{"X-Amz-Sdk-Checksum-Algorithm", "CRC5"}, "InvalidRequest"},
		"too much metadata":                 {"", []string{"X-Amz-Meta-A", strings.Repeat("x", 2<<10)}, "MetadataTooLarge"},
		"metadata that is no text":          {"", []string{"X-Amz-Meta-A", "\xff"}, "InvalidArgument"},
		"a key of a customer":               {"", []string{"X-Amz-Server-Side-Encryption-Customer-Algorithm", "AES256"}, "NotImplemented"},
		"a key of a key management service": {"", []string{"X-Amz-Server-Side-Encryption", "aws:kms"}, "NotImplemented"},
		"a lock":                            {"", []string{"X-Amz-Object-Lock-Mode", "GOVERNANCE"}, "NotImplemented"},
		"If-None-Match of an ETag":          {"", []string{"If-None-Match", `"x"`}, "NotImplemented"},
		"too many tags":                     {"", []string{"X-Amz-Tagging", "a=&b=&c=&d=&e=&f=&g=&h=&i=&j=&k="}, "InvalidTag"},
		"a tag twice":                       {"", []string{"X-Amz-Tagging", "a=1&a=2"}, "InvalidTag"},
		"tags that are no query":            {"", []string{"X-Amz-Tagging", "%zz"}, "InvalidTag"},
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			status, body := send(t, "PUT", url+"/hearth/refused", c.body, c.header...)
			if status/100 == 2 || !strings.Contains(body, "<Code>"+c.code+"</Code>") {
				t.Errorf("%d %s, want %s", status, body, c.code)
			}
			wantGone(t, store, "refused")
		})
	}
	t.Run("refuses a body of no length", func(t *testing.T) {
		r, err := http.NewRequestWithContext(t.Context(), "PUT", url+"/hearth/refused", io.NopCloser(strings.NewReader("content")))
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusLengthRequired {
			t.Error(response.Status)
		}
	})

	// Ensure that a key is created once, whoever tries at the same time.
	t.Run("If-None-Match lets one writer of many win", func(t *testing.T) {
		var work sync.WaitGroup
		var made atomic.Int32
		for i := range 8 {
			work.Go(func() {
				_, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: hearthBucket, Key: aws.String("once"), Body: strings.NewReader(fmt.Sprint(i)), IfNoneMatch: aws.String("*")})
				if err == nil {
					made.Add(1)
					return
				}
				wantCode(t, err, "PreconditionFailed", http.StatusPreconditionFailed)
			})
		}
		work.Wait()
		if made.Load() != 1 {
			t.Errorf("made %d times", made.Load())
		}
	})
}

// If-Match: * asks for an object, whichever.
func TestHandler_MatchAny(t *testing.T) {
	for name, c := range map[string]struct {
		method, path, header, body string
	}{
		"PutObject":     {http.MethodPut, "/hearth/KEY", "If-Match", "x"},
		"DeleteObject":  {http.MethodDelete, "/hearth/KEY", "If-Match", ""},
		"CopyObject to": {http.MethodPut, "/hearth/KEY", "If-Match", ""},
		"CopyObject of": {http.MethodPut, "/hearth/copy", "X-Amz-Copy-Source-If-Match", ""},
	} {
		t.Run(name, func(t *testing.T) {
			store, _, url := serve(t)
			put(t, store, "there", "", "x")
			put(t, store, "other", "", "y")
			ask := func(key string) (int, string) {
				header := []string{c.header, "*"}
				switch name {
				case "CopyObject to":
					header = append(header, "X-Amz-Copy-Source", "hearth/other")
				case "CopyObject of":
					header = append(header, "X-Amz-Copy-Source", "hearth/"+key)
				}
				return send(t, c.method, url+strings.Replace(c.path, "KEY", key, 1), c.body, header...)
			}
			if status, body := ask("none"); status != http.StatusNotFound {
				t.Errorf("where there is none: %d %s", status, body)
			}
			if status, body := ask("there"); status/100 != 2 {
				t.Errorf("where there is one: %d %s", status, body)
			}
		})
	}
}

func TestHandler_CopyObject(t *testing.T) {
	store, client, url := serve(t)
	put(t, store, "odd key/ü+%2F", "text/csv", "0123456789")
	t.Run("of an odd key", func(t *testing.T) {
		_, err := client.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: hearthBucket, Key: aws.String("copy"), CopySource: aws.String("hearth/odd%20key/%C3%BC%2B%252F")})
		if err != nil || get(t, store, "copy") != "0123456789" || stat(t, store, "copy").ContentType != "text/csv" {
			t.Errorf("%v, %+v", err, stat(t, store, "copy"))
		}
	})
	t.Run("encrypted, onto itself", func(t *testing.T) {
		put(t, store, "itself", "text/csv", "0123456789")
		_, err := client.CopyObject(t.Context(), &s3.CopyObjectInput{
			Bucket: hearthBucket, Key: aws.String("itself"), CopySource: aws.String("hearth/itself"), ServerSideEncryption: types.ServerSideEncryptionAes256,
		})
		if err != nil || get(t, store, "itself") != "0123456789" || stat(t, store, "itself").Encryption != hearth.SSES3 {
			t.Errorf("%v, %+v", err, stat(t, store, "itself"))
		}
	})
	for name, c := range map[string]struct{ source, header, value, code string }{
		"no source":                {"hearth", "", "", "InvalidArgument"},
		"an empty source":          {"", "", "", "InvalidArgument"},
		"a source that is no text": {"hearth/%zz", "", "", "InvalidArgument"},
		"a source that is absent":  {"hearth/absent", "", "", "NoSuchKey"},
		"a bucket that is absent":  {"elsewhere/a", "", "", "NoSuchBucket"},
		"a way out of the store":   {"../../etc/passwd", "", "", "InvalidBucketName"},
		"a version":                {"hearth/copy?versionId=7", "", "", "NoSuchVersion"},
		"a source that has changed": {
			"hearth/copy", "X-Amz-Copy-Source-If-Unmodified-Since", "Mon, 01 Jan 2001 00:00:00 GMT", "PreconditionFailed",
		},
		"a directive": {"hearth/copy", "X-Amz-Metadata-Directive", "MERGE", "InvalidArgument"},
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			header := []string{"X-Amz-Copy-Source", c.source}
			if c.header != "" {
				header = append(header, c.header, c.value)
			}
			_, body := send(t, "PUT", url+"/hearth/refused", "", header...)
			if !strings.Contains(body, "<Code>"+c.code+"</Code>") {
				t.Errorf("%s, want %s", body, c.code)
			}
			wantGone(t, store, "refused")
		})
	}
	for _, part := range []string{"bytes=5-4", "bytes=0-10", "bytes=-1", "0-1", "bytes=0-99999999999999999999"} {
		t.Run("refuses the range "+part, func(t *testing.T) {
			u := beginUpload(t, store, "parts", objects.Draft{})
			status, body := send(t, "PUT", url+"/hearth/parts?partNumber=1&uploadId="+u.ID, "", "X-Amz-Copy-Source", "hearth/copy", "X-Amz-Copy-Source-Range", part)
			if status/100 == 2 || !strings.Contains(body, "<Code>Invalid") {
				t.Errorf("%d %s", status, body)
			}
		})
	}
}

func TestHandler_DeleteObjects(t *testing.T) {
	store, _, url := serve(t)
	remove := func(t *testing.T, body string, header ...string) string {
		t.Helper()
		_, answer := send(t, "POST", url+"/hearth?delete", body, header...)
		return answer
	}
	t.Run("quietly", func(t *testing.T) {
		put(t, store, "a", "", "x")
		answer := remove(t, "<Delete><Quiet>true</Quiet><Object><Key>a</Key></Object><Object><Key>b</Key><VersionId>7</VersionId></Object></Delete>")
		if strings.Contains(answer, "<Deleted>") || !strings.Contains(answer, "<Error><Key>b</Key><Code>NoSuchVersion</Code>") {
			t.Error(answer)
		}
		wantGone(t, store, "a")
	})
	for name, c := range map[string]struct{ body, header, value, code string }{
		"nothing":           {"", "", "", "MalformedXML"},
		"no keys":           {"<Delete></Delete>", "", "", "MalformedXML"},
		"too many keys":     {"<Delete>" + strings.Repeat("<Object><Key>kept</Key></Object>", 1001) + "</Delete>", "", "", "MalformedXML"},
		"half of it":        {"<Delete><Object><Key>kept</Key></Object>", "", "", "MalformedXML"},
		"another MD5":       {"<Delete><Object><Key>kept</Key></Object></Delete>", "Content-MD5", "AAAAAAAAAAAAAAAAAAAAAA==", "BadDigest"},
		"another checksum":  {"<Delete><Object><Key>kept</Key></Object></Delete>", "X-Amz-Checksum-Crc32", "AAAAAA==", "BadDigest"},
		"more than allowed": {"<Delete><Object><Key>kept</Key></Object></Delete>" + strings.Repeat(" ", 2<<20), "", "", "MalformedXML"},
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			put(t, store, "kept", "", "x")
			var header []string
			if c.header != "" {
				header = []string{c.header, c.value}
			}
			if answer := remove(t, c.body, header...); !strings.Contains(answer, "<Code>"+c.code+"</Code>") {
				t.Errorf("%s, want %s", answer, c.code)
			}
			if get(t, store, "kept") != "x" {
				t.Error("the object has changed")
			}
		})
	}
}

// Ensure that every operation asks who may do it, for all buckets that it touches.
func TestHandler_Allow(t *testing.T) {
	store, _ := open(t)
	for _, bucket := range []string{"mine", "yours"} {
		if err := store.CreateBucket(t.Context(), bucket); err != nil {
			t.Fatal(err)
		}
		if _, err := store.Write(t.Context(), bucket, "a", objects.Draft{}, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	allow := func(_ context.Context, bucket string) error {
		if bucket == "mine" || bucket == "hearth" {
			return nil
		}
		return hearth.Errorf(hearth.KindDenied, "These keys do not reach %s.", bucket)
	}
	server := httptest.NewServer(objects.Handler(store, objects.Options{Region: "eu-central-1", Log: slog.New(slog.DiscardHandler), Allow: allow}))
	defer server.Close()
	client := clientOf(server.URL)

	t.Run("other buckets are not listed", func(t *testing.T) {
		out, err := client.ListBuckets(t.Context(), &s3.ListBucketsInput{})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, b := range out.Buckets {
			names = append(names, *b.Name)
		}
		if diff := cmp.Diff([]string{"hearth", "mine"}, names); diff != "" {
			t.Error(diff)
		}
	})
	for _, c := range []struct{ method, path, header string }{
		{"GET", "/yours", ""},
		{"HEAD", "/yours", ""},
		{"PUT", "/yours", ""},
		{"DELETE", "/yours", ""},
		{"GET", "/yours?uploads", ""},
		{"POST", "/yours?delete", ""},
		{"GET", "/yours/a", ""},
		{"PUT", "/yours/a", ""},
		{"DELETE", "/yours/a", ""},
		{"POST", "/yours/a?uploads", ""},
		{"PUT", "/yours/a?tagging", ""},
		{"PUT", "/yours/a?partNumber=1&uploadId=x", ""},
		{"POST", "/yours/a?uploadId=x", ""},
		{"DELETE", "/yours/a?uploadId=x", ""},
		{"GET", "/yours/a?uploadId=x", ""},
		{"PUT", "/mine/b", "yours/a"},
		{"PUT", "/mine/b?partNumber=1&uploadId=x", "yours/a"},
		{"PUT", "/yours/b", "mine/a"},
	} {
		t.Run(c.method+" "+c.path+" "+c.header, func(t *testing.T) {
			var header []string
			if c.header != "" {
				header = []string{"X-Amz-Copy-Source", c.header}
			}
			if status, body := send(t, c.method, server.URL+c.path, "", header...); status != http.StatusForbidden {
				t.Errorf("%d %s", status, body)
			}
		})
	}
	t.Run("nobody is asked for what is no bucket's name", func(t *testing.T) {
		impossible := strings.Repeat("yours", 100)
		for _, c := range []struct{ method, path, source string }{
			{"GET", "/" + impossible, ""},
			{"PUT", "/" + impossible, ""},
			{"GET", "/Yours/a", ""},
			{"PUT", "/mine/b", impossible + "/a"},
			{"PUT", "/mine/b?partNumber=1&uploadId=x", "/a"},
			{"PUT", "/mine/b?partNumber=1&uploadId=x", "Yours/a"},
		} {
			var header []string
			if c.source != "" {
				header = []string{"X-Amz-Copy-Source", c.source}
			}
			if status, body := send(t, c.method, server.URL+c.path, "", header...); status != http.StatusBadRequest || !strings.Contains(body, "<Code>Invalid") {
				t.Errorf("%s %s %s: %d %s", c.method, c.path, c.source, status, body)
			}
		}
	})
	t.Run("nobody is let in when nobody is there to ask", func(t *testing.T) {
		closed := httptest.NewServer(objects.Handler(store, objects.Options{Region: "eu-central-1", Log: slog.New(slog.DiscardHandler)}))
		defer closed.Close()
		if status, body := send(t, http.MethodGet, closed.URL+"/mine/a", ""); status != http.StatusForbidden || !strings.Contains(body, "AccessDenied") {
			t.Errorf("%d %s", status, body)
		}
	})
	t.Run("what is allowed works", func(t *testing.T) {
		_, err := client.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: aws.String("mine"), Key: aws.String("b"), CopySource: aws.String("mine/a")})
		_, readErr := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: hearthBucket})
		if err := errors.Join(err, readErr); err != nil {
			t.Error(err)
		}
	})
}
