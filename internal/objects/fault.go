package objects

import (
	"errors"
	"io/fs"
	"net/http"
	"syscall"

	"hearth"
)

// A fault is an S3 error code. It is the cause inside errors of this package
// that S3 has a name for.
type fault string

// The faults that are answered (S3's error reference).
const (
	noSuchKey         fault = "NoSuchKey"
	noSuchBucket      fault = "NoSuchBucket"
	noSuchVersion     fault = "NoSuchVersion"
	bucketExists      fault = "BucketAlreadyOwnedByYou"
	invalidBucketName fault = "InvalidBucketName"
	invalidOwner      fault = "InvalidBucketOwnerAWSAccountID"
	illegalLocation   fault = "IllegalLocationConstraintException"
	malformedXML      fault = "MalformedXML"
	invalidURI        fault = "InvalidURI"
	invalidArgument   fault = "InvalidArgument"
	invalidRange      fault = "InvalidRange"
	keyTooLong        fault = "KeyTooLongError"
	preconditionFails fault = "PreconditionFailed"
	accessDenied      fault = "AccessDenied"
	noSuchUpload      fault = "NoSuchUpload"
	bucketNotEmpty    fault = "BucketNotEmpty"
	invalidPart       fault = "InvalidPart"
	invalidPartOrder  fault = "InvalidPartOrder"
	invalidPartNumber fault = "InvalidPartNumber"
	entityTooSmall    fault = "EntityTooSmall"
	entityTooLarge    fault = "EntityTooLarge"
	metadataTooLarge  fault = "MetadataTooLarge"
	badDigest         fault = "BadDigest"
	invalidDigest     fault = "InvalidDigest"
	invalidRequest    fault = "InvalidRequest"
	missingLength     fault = "MissingContentLength"
	invalidTag        fault = "InvalidTag"
	methodNotAllowed  fault = "MethodNotAllowed"
	notImplemented    fault = "NotImplemented"
	unavailable       fault = "ServiceUnavailable"
	internalError     fault = "InternalError"
)

var faults = map[fault]struct {
	kind   hearth.Kind
	status int
}{
	noSuchKey:         {hearth.KindNotFound, http.StatusNotFound},
	noSuchBucket:      {hearth.KindNotFound, http.StatusNotFound},
	noSuchVersion:     {hearth.KindNotFound, http.StatusNotFound},
	bucketExists:      {hearth.KindExists, http.StatusConflict},
	invalidBucketName: {hearth.KindInvalid, http.StatusBadRequest},
	invalidOwner:      {hearth.KindInvalid, http.StatusBadRequest},
	illegalLocation:   {hearth.KindInvalid, http.StatusBadRequest},
	malformedXML:      {hearth.KindInvalid, http.StatusBadRequest},
	invalidURI:        {hearth.KindInvalid, http.StatusBadRequest},
	invalidArgument:   {hearth.KindInvalid, http.StatusBadRequest},
	invalidRange:      {hearth.KindInvalid, http.StatusRequestedRangeNotSatisfiable},
	keyTooLong:        {hearth.KindInvalid, http.StatusBadRequest},
	preconditionFails: {hearth.KindConflict, http.StatusPreconditionFailed},
	accessDenied:      {hearth.KindDenied, http.StatusForbidden},
	noSuchUpload:      {hearth.KindNotFound, http.StatusNotFound},
	bucketNotEmpty:    {hearth.KindConflict, http.StatusConflict},
	invalidPart:       {hearth.KindInvalid, http.StatusBadRequest},
	invalidPartOrder:  {hearth.KindInvalid, http.StatusBadRequest},
	invalidPartNumber: {hearth.KindInvalid, http.StatusRequestedRangeNotSatisfiable},
	entityTooSmall:    {hearth.KindInvalid, http.StatusBadRequest},
	entityTooLarge:    {hearth.KindInvalid, http.StatusBadRequest},
	metadataTooLarge:  {hearth.KindInvalid, http.StatusBadRequest},
	badDigest:         {hearth.KindInvalid, http.StatusBadRequest},
	invalidDigest:     {hearth.KindInvalid, http.StatusBadRequest},
	invalidRequest:    {hearth.KindInvalid, http.StatusBadRequest},
	missingLength:     {hearth.KindInvalid, http.StatusLengthRequired},
	invalidTag:        {hearth.KindInvalid, http.StatusBadRequest},
	methodNotAllowed:  {hearth.KindInvalid, http.StatusMethodNotAllowed},
	notImplemented:    {hearth.KindInvalid, http.StatusNotImplemented},
	unavailable:       {hearth.KindUnavailable, http.StatusServiceUnavailable},
	internalError:     {hearth.KindInternal, http.StatusInternalServerError},
}

func (f fault) Error() string { return string(f) }

// faultf makes the error of a fault.
func faultf(f fault, format string, args ...any) *hearth.Error {
	err := hearth.Errorf(faults[f].kind, format, args...)
	err.Err = f
	return err
}

func asFault(err error) (fault, bool) { return errors.AsType[fault](err) }

// coded is an error with a name in S3 that is not of this package: one of who
// may come in, met while a body is read.
type coded interface {
	error
	S3() (code string, status int)
}

// codeOf gives the S3 error code of any error, and its HTTP status.
func codeOf(err error) (code string, status int) {
	if c, ok := errors.AsType[coded](err); ok {
		return c.S3()
	}
	f, ok := asFault(err)
	if !ok {
		switch hearth.KindOf(err) {
		case hearth.KindUnavailable:
			f = unavailable
		case hearth.KindDenied:
			f = accessDenied
		default:
			f = internalError
		}
	}
	return string(f), faults[f].status
}

// fileError is the error for a failed system call while doing something.
func fileError(err error, doing string) error {
	for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG, syscall.EROFS} {
		if errors.Is(err, full) {
			return hearth.Errorf(hearth.KindUnavailable, "The object store cannot write: %w. Make room on its disk, or choose another data directory.", full)
		}
	}
	return hearth.Internal(err, doing)
}

func isNotExist(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}
