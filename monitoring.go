package hearth

import "strings"

// Monitoring says where the logs of a session go. A nil member was not given.
type Monitoring struct {
	CloudWatch *CloudWatchLogging `json:",omitzero"`
	Managed    *ManagedLogging    `json:",omitzero"`
	S3         *S3Logging         `json:",omitzero"`
}

// CloudWatchLogging asks for logs in CloudWatch.
type CloudWatchLogging struct {
	Enabled      bool
	Group        string
	StreamPrefix string
	Types        map[string][]string // SPARK_DRIVER and SPARK_EXECUTOR to STDOUT and STDERR; nil is all
}

// ManagedLogging asks for logs that the service keeps.
type ManagedLogging struct {
	Enabled bool
	KMSKey  string
}

// S3Logging asks for logs under an s3:// location.
type S3Logging struct {
	Enabled  bool
	KMSKey   string
	Location string
}

// WithDefaults fills in what was not given from the workgroup's own settings.
// Both may be nil.
func (m *Monitoring) WithDefaults(group *Monitoring) *Monitoring {
	switch {
	case m == nil:
		return group
	case group == nil:
		return m
	}
	all := *m
	if all.CloudWatch == nil {
		all.CloudWatch = group.CloudWatch
	}
	if all.Managed == nil {
		all.Managed = group.Managed
	}
	if all.S3 == nil {
		all.S3 = group.S3
	}
	return &all
}

// Check refuses logs that could not be kept as they are asked for: at what is
// no place, or encrypted with a key of AWS's key management, which is not here.
// m may be nil. It returns KindInvalid.
func (m *Monitoring) Check() error {
	if m == nil {
		return nil
	}
	if err := m.checkPlace(); err != nil {
		return err
	}
	for _, asked := range []struct{ member, key string }{
		{"ManagedLoggingConfiguration", m.managedKey()},
		{"S3LoggingConfiguration", m.s3Key()},
	} {
		if asked.key != "" {
			return Errorf(KindInvalid, "%s asks for logs that are encrypted with the KMS key %s, and there is no KMS here. "+
				"Remove its KmsKey, and start the session again.", asked.member, asked.key)
		}
	}
	return nil
}

// checkPlace is the part of Check that a workgroup's settings have to pass: with
// a key they can be kept and read back, and no session started.
func (m *Monitoring) checkPlace() error {
	switch {
	case m == nil || m.S3 == nil:
	case m.S3.Location != "" && !s3Location.MatchString(m.S3.Location):
		return Errorf(KindInvalid, "The LogLocation of S3LoggingConfiguration is not a valid S3 path: %q. Write it as s3://bucket/prefix/.", m.S3.Location)
	case m.S3.Location == "" && m.S3.Enabled:
		return Errorf(KindInvalid, "S3LoggingConfiguration is enabled and has no LogLocation. Set it to s3://bucket/prefix/.")
	}
	return nil
}

func (m *Monitoring) managedKey() string {
	if m.Managed == nil || !m.Managed.Enabled {
		return ""
	}
	return m.Managed.KMSKey
}

func (m *Monitoring) s3Key() string {
	if m.S3 == nil || !m.S3.Enabled {
		return ""
	}
	return m.S3.KMSKey
}

// Logs says where the log of a session's driver goes.
type Logs struct {
	Copies []string // s3:// URIs of the whole log, written when the driver has ended
	Note   string   `json:",omitzero"` // what is other than it was asked for
}

// driverLog is where a copy is, under what a place has for the session. Spark
// by itself writes its log to standard error, and there it is looked for.
const driverLog = "/SPARK_DRIVER/stderr"

// ManagedLog is where managed logging has the log of a session that has this
// WorkingDirectory.
func ManagedLog(directory string) string { return directory + "/logs" + driverLog }

// Logs gives the places of the session's log, as its Monitoring has them.
// Managed logging is on unless it is turned off (Athena's user guide).
func (s Session) Logs() Logs {
	var m Monitoring
	if s.Monitoring != nil {
		m = *s.Monitoring
	}
	var l Logs
	if m.Managed == nil || m.Managed.Enabled {
		l.Copies = append(l.Copies, ManagedLog(s.Configuration.WorkingDirectory))
	}
	if m.S3 != nil && m.S3.Enabled {
		l.Copies = append(l.Copies, strings.TrimSuffix(m.S3.Location, "/")+"/"+s.ID+driverLog)
	}
	if m.CloudWatch != nil && m.CloudWatch.Enabled {
		l.Note = m.CloudWatch.elsewhere(s.ID, l.Copies)
	}
	return l
}

// elsewhere tells where to look instead of in CloudWatch.
func (c *CloudWatchLogging) elsewhere(sessionID string, copies []string) string {
	what := "What would go there"
	if c.Group != "" {
		what = "What would go to its log group " + c.Group
	}
	where := "kept with the driver's files only: hearth sessions logs " + sessionID + " prints it."
	if len(copies) > 0 {
		where = "at " + strings.Join(copies, " and ") + " when the session has ended."
	}
	return "CloudWatch is not here. " + what + " is " + where
}
