package athena

import "hearth"

func monitoring(in *MonitoringConfiguration) *hearth.Monitoring {
	if in == nil {
		return nil
	}
	m := new(hearth.Monitoring)
	if c := in.CloudWatchLoggingConfiguration; c != nil {
		m.CloudWatch = &hearth.CloudWatchLogging{
			Enabled: value(c.Enabled), Group: value(c.LogGroup), StreamPrefix: value(c.LogStreamNamePrefix), Types: c.LogTypes,
		}
	}
	if c := in.ManagedLoggingConfiguration; c != nil {
		m.Managed = &hearth.ManagedLogging{Enabled: value(c.Enabled), KMSKey: value(c.KMSKey)}
	}
	if c := in.S3LoggingConfiguration; c != nil {
		m.S3 = &hearth.S3Logging{Enabled: value(c.Enabled), KMSKey: value(c.KMSKey), Location: value(c.LogLocation)}
	}
	return m
}

func monitoringShape(m *hearth.Monitoring) *MonitoringConfiguration {
	if m == nil {
		return nil
	}
	out := new(MonitoringConfiguration)
	if c := m.CloudWatch; c != nil {
		out.CloudWatchLoggingConfiguration = &CloudWatchLoggingConfiguration{
			Enabled: &c.Enabled, LogGroup: given(c.Group), LogStreamNamePrefix: given(c.StreamPrefix), LogTypes: c.Types,
		}
	}
	if c := m.Managed; c != nil {
		out.ManagedLoggingConfiguration = &ManagedLoggingConfiguration{Enabled: &c.Enabled, KMSKey: given(c.KMSKey)}
	}
	if c := m.S3; c != nil {
		out.S3LoggingConfiguration = &S3LoggingConfiguration{Enabled: &c.Enabled, KMSKey: given(c.KMSKey), LogLocation: given(c.Location)}
	}
	return out
}
