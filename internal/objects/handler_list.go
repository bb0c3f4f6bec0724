package objects

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// maxKeys is the most that one answer lists, and S3's default.
const maxKeys = 1000

func (h *handler) listObjects(w http.ResponseWriter, r *http.Request, bucket, _ string) error {
	query := r.URL.Query()
	v2 := query.Get("list-type") == "2"
	limit, err := limitOf(query, "max-keys")
	if err != nil {
		return err
	}
	encode, err := encodingOf(query.Get("encoding-type"))
	if err != nil {
		return err
	}
	q := Query{Prefix: query.Get("prefix"), Delimiter: query.Get("delimiter"), Limit: limit}
	answer := listBucketResult{
		Name:         bucket,
		Prefix:       encode(q.Prefix),
		Delimiter:    encode(q.Delimiter),
		MaxKeys:      limit,
		EncodingType: query.Get("encoding-type"),
	}
	if v2 {
		q.After = query.Get("start-after")
		answer.StartAfter = encode(q.After)
		if token := query.Get("continuation-token"); token != "" {
			answer.ContinuationToken = token
			if q.After, err = fromToken(token); err != nil {
				return err
			}
		}
	} else {
		q.After = query.Get("marker")
		answer.Marker = new(encode(q.After))
	}

	listing, err := h.store.List(r.Context(), bucket, q)
	if err != nil {
		return err
	}
	for _, o := range listing.Objects {
		answer.Contents = append(answer.Contents, contents{
			Key:          encode(o.Key),
			LastModified: timestamp(o.ModifiedAt),
			ETag:         quoted(o.ETag),
			Size:         o.Size,
			StorageClass: storageClass,
		})
	}
	for _, p := range listing.Prefixes {
		answer.CommonPrefixes = append(answer.CommonPrefixes, commonPrefix{encode(p)})
	}
	answer.IsTruncated = listing.Next != ""
	switch {
	case v2:
		answer.KeyCount = new(len(listing.Objects) + len(listing.Prefixes))
		if answer.IsTruncated {
			answer.NextContinuationToken = toToken(listing.Next)
		}
	case answer.IsTruncated:
		answer.NextMarker = encode(listing.Next)
	}
	return writeXML(w, http.StatusOK, answer)
}

func limitOf(query url.Values, parameter string) (int, error) {
	text := query.Get(parameter)
	if text == "" {
		return maxKeys, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil || n < 0 {
		return 0, faultf(invalidArgument, "%s is %q; it has to be a number from 0 to %d.", parameter, text, maxKeys)
	}
	return min(int(n), maxKeys), nil
}

// encodingOf gives the function that writes keys as the client asked for. XML
// cannot hold every character that a key can.
func encodingOf(name string) (func(string) string, error) {
	switch name {
	case "":
		return func(s string) string { return s }, nil
	case "url":
		return func(s string) string {
			return strings.NewReplacer("%2F", "/", "+", "%20").Replace(url.QueryEscape(s))
		}, nil
	}
	return nil, faultf(invalidArgument, "encoding-type is %q; the only one is url.", name)
}

// A continuation token is where the listing goes on, in a form that clients
// have no reason to look into.
func toToken(after string) string { return base64.URLEncoding.EncodeToString([]byte(after)) }

func fromToken(token string) (string, error) {
	after, err := base64.URLEncoding.DecodeString(token)
	if err != nil || len(after) == 0 {
		return "", faultf(invalidArgument, "The continuation token is not one that a listing gave.")
	}
	return string(after), nil
}
