package athena

import "hearth"

// workGroupSettings keeps what a workgroup is made with. The two switches that
// Terraform takes for on when they are not given are on then.
func workGroupSettings(c WorkGroupConfiguration) hearth.WorkGroupSettings {
	s := hearth.WorkGroupSettings{
		ExecutionRole:           value(c.ExecutionRole),
		EnforceConfiguration:    c.EnforceWorkGroupConfiguration == nil || *c.EnforceWorkGroupConfiguration,
		PublishMetrics:          c.PublishCloudWatchMetricsEnabled == nil || *c.PublishCloudWatchMetricsEnabled,
		RequesterPays:           value(c.RequesterPaysEnabled),
		MinimumEncryption:       value(c.EnableMinimumEncryptionConfiguration),
		BytesScannedCutoff:      value(c.BytesScannedCutoffPerQuery),
		ContentKey:              value(value(c.CustomerContentEncryptionConfiguration).KMSKey),
		AdditionalConfiguration: value(c.AdditionalConfiguration),
		AccessGrants:            accessGrants(c.QueryResultsS3AccessGrantsConfiguration),
		Monitoring:              monitoring(c.MonitoringConfiguration),
	}
	if r := c.ResultConfiguration; r != nil {
		s.OutputLocation = value(r.OutputLocation)
		s.Encryption = encryption(r.EncryptionConfiguration)
		s.ExpectedBucketOwner = value(r.ExpectedBucketOwner)
		s.ACL = value(value(r.ACLConfiguration).S3ACLOption)
	}
	if e := c.EngineConfiguration; e != nil {
		s.EngineConfiguration = new(engineConfiguration(e))
	}
	if m := c.ManagedQueryResultsConfiguration; m != nil {
		s.ManagedResults = &hearth.ManagedResults{Enabled: value(m.Enabled), KMSKey: value(value(m.EncryptionConfiguration).KMSKey)}
	}
	if i := c.IdentityCenterConfiguration; i != nil {
		s.IdentityCenter = &hearth.IdentityCenter{Enabled: i.EnableIdentityCenter, InstanceARN: value(i.IdentityCenterInstanceARN)}
	}
	return s
}

// updateWorkGroup changes what is given and keeps everything else. What is
// given and to be removed in one request is removed, as Athena's reference has
// it for results. A block is replaced as a whole, but for the two that have a
// shape of their own for updates.
func updateWorkGroup(g *hearth.WorkGroup, u *WorkGroupConfigurationUpdates) {
	if u.EngineVersion != nil {
		set(&g.Engine.Selected, u.EngineVersion.SelectedEngineVersion)
	}
	set(&g.ExecutionRole, u.ExecutionRole)
	set(&g.EnforceConfiguration, u.EnforceWorkGroupConfiguration)
	set(&g.PublishMetrics, u.PublishCloudWatchMetricsEnabled)
	set(&g.RequesterPays, u.RequesterPaysEnabled)
	set(&g.MinimumEncryption, u.EnableMinimumEncryptionConfiguration)
	set(&g.AdditionalConfiguration, u.AdditionalConfiguration)
	change(&g.BytesScannedCutoff, u.BytesScannedCutoffPerQuery, u.RemoveBytesScannedCutoffPerQuery)
	change(&g.ContentKey, value(u.CustomerContentEncryptionConfiguration).KMSKey, u.RemoveCustomerContentEncryptionConfiguration)
	if r := u.ResultConfigurationUpdates; r != nil {
		change(&g.OutputLocation, r.OutputLocation, r.RemoveOutputLocation)
		change(&g.ExpectedBucketOwner, r.ExpectedBucketOwner, r.RemoveExpectedBucketOwner)
		change(&g.ACL, value(r.ACLConfiguration).S3ACLOption, r.RemoveACLConfiguration)
		switch {
		case value(r.RemoveEncryptionConfiguration):
			g.Encryption = nil
		case r.EncryptionConfiguration != nil:
			g.Encryption = encryption(r.EncryptionConfiguration)
		}
	}
	if m := u.ManagedQueryResultsConfigurationUpdates; m != nil {
		results := value(g.ManagedResults)
		set(&results.Enabled, m.Enabled)
		change(&results.KMSKey, value(m.EncryptionConfiguration).KMSKey, m.RemoveEncryptionConfiguration)
		g.ManagedResults = &results
	}
	if a := u.QueryResultsS3AccessGrantsConfiguration; a != nil {
		g.AccessGrants = accessGrants(a)
	}
	if e := u.EngineConfiguration; e != nil {
		g.EngineConfiguration = new(engineConfiguration(e))
	}
	if m := u.MonitoringConfiguration; m != nil {
		g.Monitoring = monitoring(m)
	}
}

// set changes a setting when a member is given.
func set[T any](setting *T, member *T) {
	if member != nil {
		*setting = *member
	}
}

// change is set for a setting that can be removed.
func change[T any](setting *T, member *T, remove *bool) {
	set(setting, member)
	if value(remove) {
		var none T
		*setting = none
	}
}

// workGroupConfiguration gives what Terraform reads back. A block that nobody
// asked for would be a change in its eyes, so there is none; the result
// configuration and the four switches are there in Athena's answers too.
func workGroupConfiguration(g hearth.WorkGroup) *WorkGroupConfiguration {
	c := &WorkGroupConfiguration{
		ResultConfiguration: &ResultConfiguration{
			OutputLocation:          given(g.OutputLocation),
			EncryptionConfiguration: encryptionShape(g.Encryption),
			ExpectedBucketOwner:     given(g.ExpectedBucketOwner),
		},
		EnforceWorkGroupConfiguration:        &g.EnforceConfiguration,
		PublishCloudWatchMetricsEnabled:      &g.PublishMetrics,
		RequesterPaysEnabled:                 &g.RequesterPays,
		EnableMinimumEncryptionConfiguration: &g.MinimumEncryption,
		BytesScannedCutoffPerQuery:           given(g.BytesScannedCutoff),
		EngineVersion:                        engineVersionShape(g.Engine),
		AdditionalConfiguration:              given(g.AdditionalConfiguration),
		ExecutionRole:                        given(g.ExecutionRole),
		MonitoringConfiguration:              monitoringShape(g.Monitoring),
	}
	if g.ACL != "" {
		c.ResultConfiguration.ACLConfiguration = &ACLConfiguration{S3ACLOption: &g.ACL}
	}
	if g.ContentKey != "" {
		c.CustomerContentEncryptionConfiguration = &CustomerContentEncryptionConfiguration{KMSKey: &g.ContentKey}
	}
	if g.EngineConfiguration != nil {
		c.EngineConfiguration = engineConfigurationShape(*g.EngineConfiguration)
	}
	if m := g.ManagedResults; m != nil {
		c.ManagedQueryResultsConfiguration = &ManagedQueryResultsConfiguration{Enabled: &m.Enabled}
		if m.KMSKey != "" {
			c.ManagedQueryResultsConfiguration.EncryptionConfiguration = &ManagedQueryResultsEncryptionConfiguration{KMSKey: &m.KMSKey}
		}
	}
	if i := g.IdentityCenter; i != nil {
		c.IdentityCenterConfiguration = &IdentityCenterConfiguration{EnableIdentityCenter: i.Enabled, IdentityCenterInstanceARN: given(i.InstanceARN)}
	}
	if a := g.AccessGrants; a != nil {
		c.QueryResultsS3AccessGrantsConfiguration = &QueryResultsS3AccessGrantsConfiguration{
			EnableS3AccessGrants: &a.Enabled, CreateUserLevelPrefix: a.UserLevelPrefix, AuthenticationType: &a.AuthenticationType,
		}
	}
	return c
}

func accessGrants(in *QueryResultsS3AccessGrantsConfiguration) *hearth.AccessGrants {
	if in == nil {
		return nil
	}
	return &hearth.AccessGrants{
		Enabled: value(in.EnableS3AccessGrants), UserLevelPrefix: in.CreateUserLevelPrefix, AuthenticationType: value(in.AuthenticationType),
	}
}

func encryption(in *EncryptionConfiguration) *hearth.Encryption {
	if in == nil {
		return nil
	}
	return &hearth.Encryption{Option: value(in.EncryptionOption), KMSKey: value(in.KMSKey)}
}
