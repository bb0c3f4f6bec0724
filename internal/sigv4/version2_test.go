package sigv4_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"hearth/internal/sigv4"
)

// What boto3 1.43 presigns at now by default, each for a minute.
const (
	presignedGet   = "/bucket/a%20key/%C3%BC?response-content-type=text%2Fplain%3B%20charset%3Dutf-8&versionId=null&AWSAccessKeyId=AKIDEXAMPLE&Signature=lT6iJbOssRIODH%2FoUau54pqNr1w%3D&Expires=1791591360"
	presignedPut   = "/bucket/key?AWSAccessKeyId=AKIDEXAMPLE&Signature=6pEbabkxGKXX1Hcnhx9KXdilml4%3D&content-type=text%2Fplain&x-amz-meta-who=me%20and%20you&Expires=1791591360"
	presignedToken = "/bucket/key?AWSAccessKeyId=AKIDEXAMPLE&Signature=nMoWW6wu22nRxWNsAu7tDhG7D5o%3D&x-amz-security-token=a%20token&Expires=1791591360"
	presignedPart  = "/bucket/key?uploadId=u&partNumber=2&AWSAccessKeyId=AKIDEXAMPLE&Signature=1FkUNCxV2cG0UlIRVHtR8Ee3rMo%3D&Expires=1791591360"
	presignedList  = "/bucket?list-type=2&prefix=a%2F&encoding-type=url&AWSAccessKeyId=AKIDEXAMPLE&Signature=RMas5iCEajbIUPcbLK91F1siqZo%3D&Expires=1791591360"
	presignedACL   = "/bucket?acl&AWSAccessKeyId=AKIDEXAMPLE&Signature=1RKPBXhbAXzrmdk1ynKcRZGtR68%3D&Expires=1791591360"
)

func TestVerifier_Version2(t *testing.T) {
	request := func(method, uri, body string) *http.Request {
		return received(t, message{method: method, uri: uri, header: http.Header{}, body: []byte(body)}.request(t))
	}
	for name, r := range map[string]*http.Request{
		"of an object": request("GET", presignedGet, ""),
		"of a part":    request("PUT", presignedPart, "part"),
		"of a list":    request("GET", presignedList, ""),
		"of an ACL":    request("GET", presignedACL, ""),
		"to put there": request("PUT", presignedPut, "content"),
		"with a token": request("GET", presignedToken, ""),
	} {
		t.Run(name, func(t *testing.T) {
			who, err := verifier("s3").Verify(r)
			if err != nil || who.AccessKeyID != keyID || who.Region != region {
				t.Fatalf("%+v, %v", who, err)
			}
		})
	}
	t.Run("gives the headers that it carries", func(t *testing.T) {
		r := request("PUT", presignedPut, "content")
		if _, err := verifier("s3").Verify(r); err != nil {
			t.Fatal(err)
		}
		if r.Header.Get("X-Amz-Meta-Who") != "me and you" || r.Header.Get("Content-Type") != "text/plain" {
			t.Errorf("%v", r.Header)
		}
		if body, err := io.ReadAll(r.Body); err != nil || string(body) != "content" {
			t.Errorf("%q, %v", body, err)
		}
	})
	t.Run("asks for the secret of the token that it carries", func(t *testing.T) {
		v := verifier("s3")
		v.Secret = func(_ context.Context, _, token string) (string, error) {
			if token != "a token" {
				return "", sigv4.ErrInvalidToken
			}
			return secret, nil
		}
		who, err := v.Verify(request("GET", presignedToken, ""))
		if err != nil || who.SessionToken != "a token" {
			t.Fatalf("%+v, %v", who, err)
		}
		_, err = v.Verify(request("GET", presignedACL, ""))
		wantFault(t, err, sigv4.FaultInvalidToken)
	})
	t.Run("after its time", func(t *testing.T) {
		v := verifier("s3")
		v.Now = func() time.Time { return now.Add(61 * time.Second) }
		_, err := v.Verify(request("GET", presignedGet, ""))
		wantFault(t, err, sigv4.FaultExpired)
	})

	unlike := func(old, other string) *http.Request {
		return request("GET", strings.Replace(presignedGet, old, other, 1), "")
	}
	plusHeader := func(name, value string) *http.Request {
		r := request("PUT", presignedPut, "content")
		r.Header.Set(name, value)
		return r
	}
	for name, c := range map[string]struct {
		request *http.Request
		want    sigv4.Fault
	}{
		"for another method":           {request("HEAD", presignedGet, ""), sigv4.FaultMismatch},
		"for another key":              {unlike("a%20key", "b%20key"), sigv4.FaultMismatch},
		"for longer":                   {unlike("1791591360", "1791591361"), sigv4.FaultMismatch},
		"for another answer":           {unlike("plain", "html"), sigv4.FaultMismatch},
		"with a parameter of meaning":  {unlike("?", "?acl&"), sigv4.FaultMismatch},
		"with a header of meaning":     {plusHeader("X-Amz-Tagging", "a=b"), sigv4.FaultMismatch},
		"with a header said twice":     {plusHeader("X-Amz-Meta-Who", "you"), sigv4.FaultMismatch},
		"with another type":            {plusHeader("Content-Type", "text/html"), sigv4.FaultMismatch},
		"with a body in chunks":        {plusHeader("X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"), sigv4.FaultStreamingPayload},
		"of an unknown key":            {unlike("AKIDEXAMPLE", "AKIDOTHER"), sigv4.FaultUnknownKey},
		"without a signature":          {unlike("Signature=", "Sign="), sigv4.FaultIncomplete},
		"with two signatures":          {unlike("?", "?Signature=a&"), sigv4.FaultIncomplete},
		"with two keys":                {unlike("?", "?AWSAccessKeyId=a&"), sigv4.FaultIncomplete},
		"with an end that is no time":  {unlike("1791591360", "soon"), sigv4.FaultIncomplete},
		"with an end that is too late": {unlike("1791591360", "99999999999999999999"), sigv4.FaultIncomplete},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := verifier("s3").Verify(c.request)
			wantFault(t, err, c.want)
		})
	}
	t.Run("at the API", func(t *testing.T) {
		_, err := verifier("athena").Verify(request("GET", presignedGet, ""))
		wantFault(t, err, sigv4.FaultMissing)
	})
}
