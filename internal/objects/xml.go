package objects

import (
	"crypto/md5"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"hearth"
)

type listAllMyBucketsResult struct {
	XMLName xml.Name        `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListAllMyBucketsResult"`
	Owner   owner           `xml:"Owner"`
	Buckets []bucketElement `xml:"Buckets>Bucket"`
	Prefix  string          `xml:",omitempty"`

	ContinuationToken string `xml:",omitempty"`
}

type owner struct {
	ID string
}

// everyone is the owner of all there is.
var everyone = owner{ID: "hearth"}

const (
	// storageClass is that of all objects.
	storageClass = "STANDARD"

	namespace = "http://s3.amazonaws.com/doc/2006-03-01/"
)

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

type versioningConfiguration struct {
	XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ VersioningConfiguration"`
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

type deleteRequest struct {
	XMLName xml.Name `xml:"Delete"`
	Quiet   bool
	Objects []struct {
		Key       string
		VersionID string `xml:"VersionId"`
		ETag      string
	} `xml:"Object"`
}

type deleteResult struct {
	XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ DeleteResult"`
	Deleted []deletedElement
	Errors  []deleteError `xml:"Error"`
}

type deletedElement struct {
	Key string
}

type deleteError struct {
	Key, Code, Message string
}

// copyResult is the answer of CopyObject and of UploadPartCopy, by its name.
type copyResult struct {
	XMLName      xml.Name
	LastModified string
	ETag         string
	checksumElements
}

// checksumElements has the checksum of an object or a part.
type checksumElements struct {
	CRC32        string `xml:"ChecksumCRC32,omitempty"`
	CRC32C       string `xml:"ChecksumCRC32C,omitempty"`
	CRC64NVME    string `xml:"ChecksumCRC64NVME,omitempty"`
	SHA1         string `xml:"ChecksumSHA1,omitempty"`
	SHA256       string `xml:"ChecksumSHA256,omitempty"`
	ChecksumType string `xml:",omitempty"`
}

// of gives the member for an algorithm.
func (e *checksumElements) of(algorithm string) *string {
	return map[string]*string{"CRC32": &e.CRC32, "CRC32C": &e.CRC32C, "CRC64NVME": &e.CRC64NVME, "SHA1": &e.SHA1, "SHA256": &e.SHA256}[algorithm]
}

func checksumElementsOf(c *Checksum) (e checksumElements) {
	if c != nil {
		*e.of(c.Algorithm) = c.Value
		e.ChecksumType = c.kind()
	}
	return e
}

// checksum gives the first that is there, nil when none is.
func (e *checksumElements) checksum() *Checksum {
	for algorithm := range checksums {
		if value := *e.of(algorithm); value != "" {
			return &Checksum{algorithm, value}
		}
	}
	return nil
}

type initiateMultipartUploadResult struct {
	XMLName  xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ InitiateMultipartUploadResult"`
	Bucket   string
	Key      string
	UploadID string `xml:"UploadId"`
}

type completeMultipartUpload struct {
	XMLName xml.Name `xml:"CompleteMultipartUpload"`
	Parts   []struct {
		PartNumber *int
		ETag       string
		checksumElements
	} `xml:"Part"`
}

type completeMultipartUploadResult struct {
	XMLName  xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CompleteMultipartUploadResult"`
	Location string
	Bucket   string
	Key      string
	ETag     string
	checksumElements
}

type listPartsResult struct {
	XMLName              xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListPartsResult"`
	Bucket               string
	Key                  string
	UploadID             string `xml:"UploadId"`
	Initiator            owner
	Owner                owner
	StorageClass         string
	PartNumberMarker     int
	NextPartNumberMarker int
	MaxParts             int
	IsTruncated          bool
	ChecksumAlgorithm    string        `xml:",omitempty"`
	ChecksumType         string        `xml:",omitempty"`
	Parts                []partElement `xml:"Part"`
}

type partElement struct {
	PartNumber   int
	LastModified string
	ETag         string
	Size         int64
	checksumElements
}

type listMultipartUploadsResult struct {
	XMLName            xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListMultipartUploadsResult"`
	Bucket             string
	KeyMarker          string
	UploadIDMarker     string `xml:"UploadIdMarker"`
	NextKeyMarker      string `xml:",omitempty"`
	NextUploadIDMarker string `xml:"NextUploadIdMarker,omitempty"`
	Delimiter          string `xml:",omitempty"`
	Prefix             string
	MaxUploads         int
	IsTruncated        bool
	EncodingType       string          `xml:",omitempty"`
	Uploads            []uploadElement `xml:"Upload"`
	CommonPrefixes     []commonPrefix
}

type uploadElement struct {
	Key               string
	UploadID          string `xml:"UploadId"`
	Initiator         owner
	Owner             owner
	StorageClass      string
	Initiated         string
	ChecksumAlgorithm string `xml:",omitempty"`
	ChecksumType      string `xml:",omitempty"`
}

type tagging struct {
	XMLName xml.Name `xml:"Tagging"`
	TagSet  struct {
		Tags []tagElement `xml:"Tag"`
	}
}

type tagElement struct {
	Key, Value string
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

// readXML reads a body of limit bytes at most. The cause of the error of an empty
// one is io.EOF.
func readXML(r *http.Request, limit int64, into any) error {
	_, err := readBody(r, limit, into)
	return err
}

// readCheckedXML reads a body as readXML does, and refuses one that is not what
// the request claims of it.
func readCheckedXML(r *http.Request, limit int64, into any) error {
	claims, err := claimsOf(r)
	if err != nil {
		return err
	}
	text, err := readBody(r, limit, into)
	if err != nil {
		return err
	}
	sums := Info{ETag: fmt.Sprintf("%x", md5.Sum(text))}
	if claims.algorithm != "" {
		h := checksums[claims.algorithm]()
		h.Write(text)
		sums.Checksum = sumOf(claims.algorithm, h)
	}
	return claims.check(sums)
}

// readBody reads to the end, which is where a body is known to be what was
// signed.
func readBody(r *http.Request, limit int64, into any) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(text)) > limit:
		return nil, faultf(malformedXML, "The body of the request is longer than %d bytes.", limit)
	}
	if err := xml.Unmarshal(text, into); err != nil {
		fault := faultf(malformedXML, "The body of the request cannot be read as the XML that belongs there.")
		fault.Err = errors.Join(malformedXML, err)
		return nil, fault
	}
	return text, nil
}

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
	_, status := codeOf(err)
	writeXML(w, status, errorElementOf(w, r, err))
}

func errorElementOf(w http.ResponseWriter, r *http.Request, err error) errorElement {
	code, _ := codeOf(err)
	return errorElement{
		Code:      code,
		Message:   hearth.MessageOf(err),
		Resource:  r.URL.Path,
		RequestID: w.Header().Get("X-Amz-Request-Id"),
	}
}
