package hearth

// Encryption asks for encryption of results at rest.
type Encryption struct {
	Option string // SSES3, SSEKMS or CSEKMS
	KMSKey string // of SSEKMS and CSEKMS: the key's ARN, id or alias
}

// The kinds of encryption that Athena knows (API_EncryptionConfiguration).
const (
	SSES3  = "SSE_S3"  // by the store, with a key that the store keeps
	SSEKMS = "SSE_KMS" // by the store, with a key of a key management service
	CSEKMS = "CSE_KMS" // before it comes to the store, with a key of such a service
)

// Check refuses a key that would not be used, and the want of one that would.
// It returns KindInvalid.
func (e *Encryption) Check() error {
	switch {
	case e == nil:
	case e.Option == SSES3 && e.KMSKey != "":
		return Errorf(KindInvalid, "KmsKey is not for %s, which has a key of the store's own. Leave KmsKey out, or choose %s.", SSES3, SSEKMS)
	case e.Option != SSES3 && e.KMSKey == "":
		return Errorf(KindInvalid, "KmsKey is required for %s. Name a key, or choose %s.", e.Option, SSES3)
	}
	return nil
}
