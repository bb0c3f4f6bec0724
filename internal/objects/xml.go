package objects

import (
	"encoding/xml"
	"net/http"
	"time"

	"hearth"
)

type listAllMyBucketsResult struct {
	XMLName xml.Name        `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListAllMyBucketsResult"`
	Owner   owner           `xml:"Owner"`
	Buckets []bucketElement `xml:"Buckets>Bucket"`
}

type owner struct {
	ID string
}

type bucketElement struct {
	Name         string
	CreationDate string
	BucketRegion string
}

type createBucketConfiguration struct {
	XMLName            xml.Name `xml:"CreateBucketConfiguration"`
	LocationConstraint string
}

type locationConstraint struct {
	XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ LocationConstraint"`
	Region  string   `xml:",chardata"`
}

// listBucketResult is the answer of both versions of ListObjects; each leaves
// out the members of the other.
type listBucketResult struct {
	XMLName               xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListBucketResult"`
	Name                  string
	Prefix                string
	Marker                *string
	StartAfter            string `xml:",omitempty"`
	ContinuationToken     string `xml:",omitempty"`
	NextContinuationToken string `xml:",omitempty"`
	NextMarker            string `xml:",omitempty"`
	KeyCount              *int
	MaxKeys               int
	Delimiter             string `xml:",omitempty"`
	IsTruncated           bool
	Contents              []contents
	CommonPrefixes        []commonPrefix
	EncodingType          string `xml:",omitempty"`
}

type contents struct {
	Key          string
	LastModified string
	ETag         string
	Size         int64
	StorageClass string
}

type commonPrefix struct {
	Prefix string
}

type errorElement struct {
	XMLName   xml.Name `xml:"Error"`
	Code      string
	Message   string
	Resource  string
	RequestID string `xml:"RequestId"`
}

func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

func quoted(etag string) string { return `"` + etag + `"` }

func writeXML(w http.ResponseWriter, status int, document any) error {
	body, err := xml.Marshal(document)
	if err != nil {
		return hearth.Internal(err, "encoding an answer")
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	w.Write([]byte(xml.Header))
	w.Write(body) // a client that is gone needs no answer
	return nil
}

func writeError(w http.ResponseWriter, r *http.Request, err error) {
	f := faultOf(err)
	writeXML(w, faults[f].status, errorElement{
		Code:      string(f),
		Message:   hearth.MessageOf(err),
		Resource:  r.URL.Path,
		RequestID: w.Header().Get("X-Amz-Request-Id"),
	})
}
