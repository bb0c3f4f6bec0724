package hearth

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
