package hearth

import (
	"regexp"
	"strings"
	"time"
)

// WorkGroup is a named set of settings that sessions are started under.
type WorkGroup struct {
	Name        string
	Description string
	Enabled     bool
	CreatedAt   time.Time
	Revision    int64 // how often it was updated: the guard of the next update

	Engine EngineVersion
	WorkGroupSettings
	Tags Tags
}

// WorkGroupSettings are a workgroup's settings, as they were given.
type WorkGroupSettings struct {
	ExecutionRole       string
	OutputLocation      string // s3:// location, as given: a trailing slash is kept
	Encryption          *Encryption
	EngineConfiguration *EngineConfiguration // defaults for sessions; nil when none

	// Of the results, in stores that have owners and ACLs: not the built-in one.
	ExpectedBucketOwner string `json:",omitzero"`
	ACL                 string `json:",omitzero"`

	// Settings of Athena's SQL half, and of AWS's other services, that clients
	// read back and that change nothing here, unless one says so.
	EnforceConfiguration    bool
	PublishMetrics          bool
	RequesterPays           bool            `json:",omitzero"`
	MinimumEncryption       bool            `json:",omitzero"` // no session without Encryption, unless EnforceConfiguration is on
	BytesScannedCutoff      int64           `json:",omitzero"` // 0 when none
	ContentKey              string          `json:",omitzero"` // KMS key of notebooks and code: none are taken with it
	AdditionalConfiguration string          `json:",omitzero"`
	ManagedResults          *ManagedResults `json:",omitzero"`
	IdentityCenter          *IdentityCenter `json:",omitzero"`
	AccessGrants            *AccessGrants   `json:",omitzero"`

	Monitoring *Monitoring `json:",omitzero"` // defaults for sessions; nil when none
}

// ManagedResults is whether Athena itself keeps the results of queries.
type ManagedResults struct {
	Enabled bool
	KMSKey  string
}

// IdentityCenter is whether queries run as users of IAM Identity Center.
type IdentityCenter struct {
	Enabled     *bool
	InstanceARN string
}

// AccessGrants is whether S3 Access Grants decide about query results.
type AccessGrants struct {
	Enabled            bool
	UserLevelPrefix    *bool
	AuthenticationType string
}

// Names of the workgroups that a first start makes.
const (
	WorkGroupPrimary = "primary" // cannot be deleted
	WorkGroupSpark35 = "spark-3.5"
)

// WorkGroupNotFound says that no such workgroup is known. Terraform takes an
// error with the words "is not found" for a workgroup that is gone.
func WorkGroupNotFound(name string) *Error {
	return Errorf(KindNotFound, "WorkGroup is not found. No workgroup has the name %s.", name)
}

// WorkGroupNotEmpty refuses to delete a workgroup with notebooks, or with
// sessions that have not ended. It begins with Athena's words.
func WorkGroupNotEmpty(name string, sessions, notebooks int) *Error {
	return Errorf(KindConflict, "WorkGroup %s is not empty: sessions that have not ended: %d, notebooks: %d. "+
		"End and delete them first, or delete it with RecursiveDeleteOption.", name, sessions, notebooks)
}

// Check refuses settings that no session could be started with, or that Athena
// refuses. It returns KindInvalid; the first two messages are Athena's.
func (g WorkGroup) Check() error {
	if g.Engine.IsSpark() && g.ExecutionRole == "" {
		return Errorf(KindInvalid, "executionRole is null or empty")
	}
	if g.OutputLocation != "" && !s3Location.MatchString(g.OutputLocation) {
		return Errorf(KindInvalid, "outputLocation is not a valid S3 path.")
	}
	for _, err := range []error{g.Monitoring.checkPlace(), g.Encryption.Check()} {
		if err != nil {
			return err
		}
	}
	if g.EngineConfiguration != nil {
		return g.EngineConfiguration.Check(g.Engine)
	}
	return nil
}

var s3Location = regexp.MustCompile(`^s3://[a-z0-9][a-z0-9.-]*[a-z0-9](/.*)?$`)

// CheckUpdate refuses an update of the workgroup was to g: beside what Check
// refuses, one to another type of engine, whose requests are others. It returns
// KindInvalid.
func (g WorkGroup) CheckUpdate(was WorkGroup) error {
	if g.Engine.dialect() != was.Engine.dialect() {
		return Errorf(KindInvalid, "The engine of WorkGroup %s cannot be changed from %s to %s. Create another workgroup for it.",
			g.Name, was.Engine.Effective, g.Engine.Effective)
	}
	return g.Check()
}

// SessionDirectory is where the calculations of a session keep their files.
func (g WorkGroup) SessionDirectory(sessionID string) string {
	return strings.TrimSuffix(g.OutputLocation, "/") + "/" + sessionID
}
