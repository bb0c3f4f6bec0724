// Package sigv4 verifies and makes AWS Signature Version 4 signatures
// (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html),
// and verifies URLs for S3 that are presigned with Version 2.
//
// A Verifier checks requests for one service. It signs what the client says it
// signed, header by header, and compares: which headers those are differs from
// client to client. Checks go from cheap to dear, so that a request without a
// known key costs no hashing of its body.
package sigv4
