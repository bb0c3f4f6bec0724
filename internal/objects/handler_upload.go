package objects

import (
	"net/http"
	"strconv"
	"strings"
)

// maxCompletion is the most bytes of the list of an upload's parts: 10,000, each
// with its checksum.
const maxCompletion = 4 << 20

func (h *handler) createMultipartUpload(w http.ResponseWriter, r *http.Request, bucket, key string) error {
	d, err := draftOf(r)
	if err != nil {
		return err
	}
	if d.Checksum, err = algorithmOf(r.Header.Get("X-Amz-Checksum-Algorithm")); err != nil {
		return err
	}
	kind, err := checksumKindOf(r.Header.Get("X-Amz-Checksum-Type"), d.Checksum)
	if err != nil {
		return err
	}
	u, err := h.store.CreateUpload(r.Context(), bucket, key, d, kind == wholeChecksum)
	if err != nil {
		return err
	}
	header := w.Header()
	describeEncryption(header, u.Encryption)
	if u.Checksum != "" {
		header.Set("X-Amz-Checksum-Algorithm", u.Checksum)
		header.Set("X-Amz-Checksum-Type", kind)
	}
	return writeXML(w, http.StatusOK, initiateMultipartUploadResult{Bucket: bucket, Key: key, UploadID: u.ID})
}

// checksumKindOf tells of what the checksum of an object in parts is, "" where
// there is none. That of all bytes cannot be told from parts' SHA sums, and the
// newest one is always of all.
func checksumKindOf(text, algorithm string) (string, error) {
	kind := strings.ToUpper(text)
	switch {
	case algorithm == "" && text == "":
		return "", nil
	case text == "" && algorithm == "CRC64NVME":
		return wholeChecksum, nil
	case text == "":
		return composedChecksum, nil
	case algorithm == "", kind != wholeChecksum && kind != composedChecksum,
		kind == wholeChecksum && strings.HasPrefix(algorithm, "SHA"),
		kind == composedChecksum && algorithm == "CRC64NVME":
		return "", faultf(invalidRequest, "The checksum type %s cannot be used with the checksum algorithm %q.", text, algorithm)
	}
	return kind, nil
}

// partNumberOf is the number of the part that a request uploads.
func partNumberOf(r *http.Request) (int, error) {
	text := r.URL.Query().Get("partNumber")
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > MaxPart {
		return 0, faultf(invalidArgument, "Part number must be an integer between 1 and %d, inclusive; it is %q.", MaxPart, text)
	}
	return n, nil
}

func (h *handler) uploadPart(w http.ResponseWriter, r *http.Request, bucket, key string) error {
	number, err := partNumberOf(r)
	if err != nil {
		return err
	}
	claims, err := claimsOf(r)
	if err != nil {
		return err
	}
	if err := checkLength(r); err != nil {
		return err
	}
	d := Draft{Checksum: claims.algorithm, Check: claims.check}
	info, err := h.store.WritePart(r.Context(), bucket, key, r.URL.Query().Get("uploadId"), number, d, r.Body)
	if err != nil {
		return err
	}
	header := w.Header()
	header.Set("Etag", quoted(info.ETag))
	describeEncryption(header, info.Encryption)
	if info.Checksum != nil {
		header.Set(checksumHeader(info.Checksum.Algorithm), info.Checksum.Value)
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

func (h *handler) completeMultipartUpload(w http.ResponseWriter, r *http.Request, bucket, key string) error {
	var wanted completeMultipartUpload
	if err := readXML(r, maxCompletion, &wanted); err != nil {
		return err
	}
	if n := len(wanted.Parts); n == 0 || n > MaxPart {
		return faultf(malformedXML, "The request lists %d parts; it has to list 1 to %d.", n, MaxPart)
	}
	var choices []PartChoice
	for _, p := range wanted.Parts {
		switch {
		case p.PartNumber == nil || p.ETag == "":
			return faultf(malformedXML, "Each part in the request needs a PartNumber and an ETag.")
		case *p.PartNumber < 1 || *p.PartNumber > MaxPart:
			return faultf(invalidArgument, "PartNumber must be an integer between 1 and %d, inclusive; it is %d.", MaxPart, *p.PartNumber)
		}
		choices = append(choices, PartChoice{*p.PartNumber, unquoted(p.ETag), p.checksum()})
	}
	var d Draft
	var err error
	if d.Condition, err = conditionOf(r); err != nil {
		return err
	}
	if d.Check, err = completionCheck(r.Header); err != nil {
		return err
	}
	id := r.URL.Query().Get("uploadId")
	return h.patiently(w, r, func() (any, error) {
		info, err := h.store.CompleteUpload(r.Context(), bucket, key, id, choices, d)
		return completeMultipartUploadResult{
			Location: location(r), Bucket: bucket, Key: key, ETag: quoted(info.ETag),
			checksumElements: checksumElementsOf(info.Checksum),
		}, err
	})
}

// location is where the client can have what it has made.
func location(r *http.Request) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host + r.URL.EscapedPath()
}

// completionCheck compares an object that was made of parts with what the
// request to make it says of it.
func completionCheck(header http.Header) (func(Info) error, error) {
	size := int64(-1)
	if text := header.Get("X-Amz-Mp-Object-Size"); text != "" {
		var err error
		if size, err = strconv.ParseInt(text, 10, 64); err != nil || size < 0 {
			return nil, faultf(invalidArgument, "x-amz-mp-object-size is %q; it has to be a number of bytes.", text)
		}
	}
	return func(made Info) error {
		if size >= 0 && size != made.Size {
			return faultf(invalidRequest, "The parts have %d bytes, and x-amz-mp-object-size says %d.", made.Size, size)
		}
		for algorithm := range checksums {
			value := header.Get(checksumHeader(algorithm))
			if value != "" && (made.Checksum == nil || *made.Checksum != Checksum{algorithm, value}) {
				return faultf(badDigest, "The %s you specified did not match the calculated checksum.", algorithm)
			}
		}
		return nil
	}, nil
}

func (h *handler) abortMultipartUpload(w http.ResponseWriter, r *http.Request, bucket, key string) error {
	if err := h.store.AbortUpload(r.Context(), bucket, key, r.URL.Query().Get("uploadId")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (h *handler) listParts(w http.ResponseWriter, r *http.Request, bucket, key string) error {
	query := r.URL.Query()
	limit, err := limitOf(query, "max-parts")
	if err != nil {
		return err
	}
	after := 0
	if text := query.Get("part-number-marker"); text != "" {
		if after, err = strconv.Atoi(text); err != nil || after < 0 {
			return faultf(invalidArgument, "part-number-marker is %q; it has to be a number.", text)
		}
	}
	u, err := h.store.Upload(r.Context(), bucket, key, query.Get("uploadId"))
	if err != nil {
		return err
	}
	parts, more, err := h.store.Parts(r.Context(), bucket, u.ID, after, limit)
	if err != nil {
		return err
	}
	answer := listPartsResult{
		Bucket: bucket, Key: key, UploadID: u.ID, Initiator: everyone, Owner: everyone, StorageClass: storageClass,
		PartNumberMarker: after, MaxParts: limit, IsTruncated: more, ChecksumAlgorithm: u.Checksum, ChecksumType: u.kind(),
	}
	for _, p := range parts {
		sums := checksumElementsOf(p.Checksum)
		sums.ChecksumType = ""
		answer.Parts = append(answer.Parts, partElement{
			PartNumber: p.Number, LastModified: timestamp(p.ModifiedAt), ETag: quoted(p.ETag), Size: p.Size, checksumElements: sums,
		})
		answer.NextPartNumberMarker = p.Number
	}
	return writeXML(w, http.StatusOK, answer)
}

// kind is S3's name for what the object's checksum will be of.
func (u Upload) kind() string {
	switch {
	case u.Checksum == "":
		return ""
	case u.WholeChecksum:
		return wholeChecksum
	}
	return composedChecksum
}

func (h *handler) listMultipartUploads(w http.ResponseWriter, r *http.Request, bucket, _ string) error {
	query := r.URL.Query()
	limit, err := limitOf(query, "max-uploads")
	if err != nil {
		return err
	}
	encode, err := encodingOf(query.Get("encoding-type"))
	if err != nil {
		return err
	}
	if query.Get("delimiter") != "" {
		return faultf(notImplemented, "ListMultipartUploads with a delimiter is not supported.")
	}
	q := UploadQuery{Prefix: query.Get("prefix"), After: query.Get("key-marker"), AfterID: query.Get("upload-id-marker"), Limit: limit}
	uploads, more, err := h.store.Uploads(r.Context(), bucket, q)
	if err != nil {
		return err
	}
	answer := listMultipartUploadsResult{
		Bucket: bucket, KeyMarker: encode(q.After), UploadIDMarker: q.AfterID, Prefix: encode(q.Prefix),
		MaxUploads: limit, IsTruncated: more, EncodingType: query.Get("encoding-type"),
	}
	for _, u := range uploads {
		answer.Uploads = append(answer.Uploads, uploadElement{
			Key: encode(u.Key), UploadID: u.ID, Initiator: everyone, Owner: everyone, StorageClass: storageClass,
			Initiated: timestamp(u.StartedAt), ChecksumAlgorithm: u.Checksum, ChecksumType: u.kind(),
		})
		if more {
			answer.NextKeyMarker, answer.NextUploadIDMarker = encode(u.Key), u.ID
		}
	}
	return writeXML(w, http.StatusOK, answer)
}
