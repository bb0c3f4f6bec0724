package hearth

import (
	"strings"
	"time"
)

// WorkGroup is a named set of settings that sessions are started under.
type WorkGroup struct {
	Name        string
	Description string
	Enabled     bool
	CreatedAt   time.Time

	Engine              EngineVersion
	ExecutionRole       string
	OutputLocation      string // s3:// location, as given: a trailing slash is kept
	Encryption          *Encryption
	EngineConfiguration *EngineConfiguration // defaults for sessions; nil when none

	// Settings of Athena's SQL half that clients read back.
	EnforceConfiguration bool
	PublishMetrics       bool
}

// Names of the workgroups that a first start makes.
const (
	WorkGroupPrimary = "primary"
	WorkGroupSpark35 = "spark-3.5"
)

// WorkGroupNotFound says that no such workgroup is known. Terraform takes an
// error with the words "is not found" for a workgroup that is gone.
func WorkGroupNotFound(name string) *Error {
	return Errorf(KindNotFound, "WorkGroup is not found. No workgroup has the name %s.", name)
}

// SessionDirectory is where the calculations of a session keep their files.
func (g WorkGroup) SessionDirectory(sessionID string) string {
	return strings.TrimSuffix(g.OutputLocation, "/") + "/" + sessionID
}
