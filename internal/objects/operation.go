package objects

import (
	"net/http"
	"net/url"
)

// operation gives the name of the S3 operation that a request asks for, ""
// when there is none.
func operation(r *http.Request, bucket, key string) string {
	query := r.URL.Query()
	switch {
	case bucket == "":
		return map[string]string{http.MethodGet: "ListBuckets", http.MethodHead: "ListBuckets"}[r.Method]
	case key == "":
		return bucketOperation(r.Method, query)
	}
	return objectOperation(r, query)
}

func bucketOperation(method string, query url.Values) string {
	if noun := subresource(query, bucketSubresources); noun != "" {
		return verbs[method] + noun
	}
	switch method {
	case http.MethodGet:
		switch {
		case query.Has("location"):
			return "GetBucketLocation"
		case query.Has("versions"):
			return "ListObjectVersions"
		case query.Has("uploads"):
			return "ListMultipartUploads"
		case query.Get("list-type") == "2":
			return "ListObjectsV2"
		}
		return "ListObjects"
	case http.MethodPost:
		if query.Has("delete") {
			return "DeleteObjects"
		}
		return "PostObject"
	}
	return plain(method, "HeadBucket", "CreateBucket", "DeleteBucket")
}

func objectOperation(r *http.Request, query url.Values) string {
	if noun := subresource(query, objectSubresources); noun != "" {
		return verbs[r.Method] + noun
	}
	_, copies := r.Header["X-Amz-Copy-Source"] // an empty one is a wrong source, and no wish for an empty object
	switch r.Method {
	case http.MethodGet:
		if query.Has("uploadId") {
			return "ListParts"
		}
		return "GetObject"
	case http.MethodPost:
		switch {
		case query.Has("uploads"):
			return "CreateMultipartUpload"
		case query.Has("uploadId"):
			return "CompleteMultipartUpload"
		case query.Has("select"):
			return "SelectObjectContent"
		case query.Has("restore"):
			return "RestoreObject"
		}
		return ""
	case http.MethodPut:
		switch {
		case query.Has("uploadId") && copies:
			return "UploadPartCopy"
		case query.Has("uploadId"):
			return "UploadPart"
		case copies:
			return "CopyObject"
		}
	case http.MethodDelete:
		if query.Has("uploadId") {
			return "AbortMultipartUpload"
		}
	}
	return plain(r.Method, "HeadObject", "PutObject", "DeleteObject")
}

func plain(method, head, put, del string) string {
	return map[string]string{http.MethodHead: head, http.MethodPut: put, http.MethodDelete: del}[method]
}

// verbs begin the names of operations on subresources.
var verbs = map[string]string{
	http.MethodGet:    "Get",
	http.MethodHead:   "Head",
	http.MethodPut:    "Put",
	http.MethodPost:   "Post",
	http.MethodDelete: "Delete",
}

// Subresources, by the query parameter that names them.
var (
	bucketSubresources = map[string]string{
		"accelerate":          "BucketAccelerateConfiguration",
		"acl":                 "BucketAcl",
		"analytics":           "BucketAnalyticsConfiguration",
		"cors":                "BucketCors",
		"encryption":          "BucketEncryption",
		"intelligent-tiering": "BucketIntelligentTieringConfiguration",
		"inventory":           "BucketInventoryConfiguration",
		"lifecycle":           "BucketLifecycleConfiguration",
		"logging":             "BucketLogging",
		"metrics":             "BucketMetricsConfiguration",
		"notification":        "BucketNotificationConfiguration",
		"object-lock":         "ObjectLockConfiguration",
		"ownershipControls":   "BucketOwnershipControls",
		"policy":              "BucketPolicy",
		"policyStatus":        "BucketPolicyStatus",
		"publicAccessBlock":   "PublicAccessBlock",
		"replication":         "BucketReplication",
		"requestPayment":      "BucketRequestPayment",
		"tagging":             "BucketTagging",
		"versioning":          "BucketVersioning",
		"website":             "BucketWebsite",
	}
	objectSubresources = map[string]string{
		"acl":        "ObjectAcl",
		"attributes": "ObjectAttributes",
		"legal-hold": "ObjectLegalHold",
		"retention":  "ObjectRetention",
		"tagging":    "ObjectTagging",
		"torrent":    "ObjectTorrent",
	}
)

func subresource(query url.Values, subresources map[string]string) string {
	for parameter := range query {
		if noun := subresources[parameter]; noun != "" {
			return noun
		}
	}
	return ""
}
