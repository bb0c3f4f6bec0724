package hearth

import "regexp"

// Resource is something that an ARN names: a workgroup, or a session of one.
type Resource struct {
	WorkGroup string
	SessionID string // "" for the workgroup itself
}

// arn is Athena's form of both ARNs (user guide, Spark Connect and example
// policies).
var arn = regexp.MustCompile(`^arn:aws[a-z-]*:athena:[^:]*:[^:]*:workgroup/([^:/\s]+)(?:/session/([^:/\s]+))?$`)

// ParseARN reads the ARN of a workgroup or a session. Partition, region and
// account are not compared: a server is one region of one account, and clients
// may take them from elsewhere. It returns KindInvalid for any other text.
func ParseARN(text string) (Resource, error) {
	parts := arn.FindStringSubmatch(text)
	if parts == nil {
		return Resource{}, Errorf(KindInvalid, "%q is not the ARN of a workgroup or a session. "+
			"They are arn:aws:athena:REGION:ACCOUNT:workgroup/NAME and, with /session/ID after it, a session's.", text)
	}
	return Resource{WorkGroup: parts[1], SessionID: parts[2]}, nil
}
