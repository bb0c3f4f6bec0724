package athena_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"hearth"
	"hearth/internal/athena"
	"hearth/internal/sessions"
	"hearth/internal/sqlite"
)

// These tests say to a whole service, by AWS's SDK for Go, what Terraform's
// provider says: the provider is built on that SDK.

// served is a client of a service on a store of its own. Its drivers have no
// processes: they are there until they are told to end.
func served(t *testing.T) *sdk.Client {
	t.Helper()
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "hearth.db"))
	if err != nil {
		t.Fatal(err)
	}
	service := sessions.New(sessions.Config{Store: store, Drivers: &processless{}, Objects: noObjects{}})
	server := httptest.NewServer(athena.Handler(service, athena.Options{
		MaxBody:   32 << 20,
		Principal: func(context.Context) string { return caller },
		Log:       slog.New(slog.DiscardHandler),
	}))
	t.Cleanup(func() {
		server.Close()
		service.Close()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	primary := hearth.WorkGroup{
		Name: hearth.WorkGroupPrimary, Enabled: true, Engine: hearth.EngineVersion{Selected: hearth.EnginePySpark3, Effective: hearth.EnginePySpark3},
		WorkGroupSettings: hearth.WorkGroupSettings{ExecutionRole: role, OutputLocation: "s3://hearth/"},
	}
	if err := service.EnsureWorkGroup(t.Context(), primary); err != nil {
		t.Fatal(err)
	}
	return sdk.New(sdk.Options{
		BaseEndpoint:     aws.String(server.URL),
		Region:           "us-east-1",
		RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}, nil
		}),
	})
}

const (
	role  = "arn:aws:iam::123456789012:role/spark"
	other = "arn:aws:iam::123456789012:role/other"
)

type noObjects struct{}

func (noObjects) Check(context.Context, hearth.Object) error          { return nil }
func (noObjects) Put(context.Context, hearth.Object, io.Reader) error { return nil }
func (noObjects) Place(context.Context, hearth.Object, []byte) (hearth.Unsynced, error) {
	return hearth.Unsynced{}, nil
}
func (noObjects) Sync(context.Context, []hearth.Unsynced) error { return nil }
func (noObjects) Release([]hearth.Unsynced)                     {}
func (noObjects) Open(_ context.Context, uri string) (io.ReadSeekCloser, error) {
	return nil, hearth.Errorf(hearth.KindNotFound, "no object at %s", uri)
}

// invalidWith checks for an InvalidRequestException with some words.
func invalidWith(t *testing.T, err error, words string) {
	t.Helper()
	refusal, ok := errors.AsType[*types.InvalidRequestException](err)
	if !ok || !strings.Contains(aws.ToString(refusal.Message), words) || aws.ToString(refusal.AthenaErrorCode) != "INVALID_INPUT" {
		t.Errorf("got %v, want an InvalidRequestException with %q", err, words)
	}
}

// equal compares shapes of the SDK.
func equal[T any](t *testing.T, got, want T) {
	t.Helper()
	unexported := cmp.FilterPath(func(p cmp.Path) bool {
		field, ok := p.Last().(cmp.StructField)
		return ok && field.Name() == "noSmithyDocumentSerde"
	}, cmp.Ignore())
	if diff := cmp.Diff(want, got, unexported, cmpopts.IgnoreTypes(time.Time{})); diff != "" {
		t.Errorf("read back something else (-set +got):\n%s", diff)
	}
}

// tf is one resource aws_athena_workgroup.
type tf struct {
	t    *testing.T
	c    *sdk.Client
	name *string
}

func (r tf) create(configuration *types.WorkGroupConfiguration, tags ...types.Tag) {
	r.t.Helper()
	if _, err := r.c.CreateWorkGroup(r.t.Context(), &sdk.CreateWorkGroupInput{Name: r.name, Configuration: configuration, Tags: tags}); err != nil {
		r.t.Fatal(err)
	}
}

func (r tf) update(in *sdk.UpdateWorkGroupInput) error {
	in.WorkGroup = r.name
	_, err := r.c.UpdateWorkGroup(r.t.Context(), in)
	return err
}

func (r tf) configure(updates *types.WorkGroupConfigurationUpdates) {
	r.t.Helper()
	if err := r.update(&sdk.UpdateWorkGroupInput{ConfigurationUpdates: updates}); err != nil {
		r.t.Fatal(err)
	}
}

func (r tf) read() *types.WorkGroup {
	r.t.Helper()
	out, err := r.c.GetWorkGroup(r.t.Context(), &sdk.GetWorkGroupInput{WorkGroup: r.name})
	if err != nil {
		r.t.Fatal(err)
	}
	return out.WorkGroup
}

func (r tf) arn() *string {
	return aws.String("arn:aws:athena:us-east-1:123456789012:workgroup/" + *r.name)
}

func (r tf) tags(arn *string) map[string]string {
	r.t.Helper()
	out, err := r.c.ListTagsForResource(r.t.Context(), &sdk.ListTagsForResourceInput{ResourceARN: arn})
	if err != nil {
		r.t.Fatal(err)
	}
	tags := map[string]string{}
	for _, tag := range out.Tags {
		tags[*tag.Key] = *tag.Value
	}
	return tags
}

func newTF(t *testing.T) tf { return tf{t, served(t), aws.String("etl")} }

func tag(key, value string) types.Tag { return types.Tag{Key: &key, Value: &value} }

func selected(engine string) *types.EngineVersion {
	return &types.EngineVersion{SelectedEngineVersion: &engine}
}

// everything sets each block and member that the provider knows.
func everything() *types.WorkGroupConfiguration {
	return &types.WorkGroupConfiguration{
		BytesScannedCutoffPerQuery:             aws.Int64(10485760),
		CustomerContentEncryptionConfiguration: &types.CustomerContentEncryptionConfiguration{KmsKey: aws.String("alias/content")},
		EnableMinimumEncryptionConfiguration:   aws.Bool(true),
		EnforceWorkGroupConfiguration:          aws.Bool(true),
		EngineVersion:                          selected(hearth.EnginePySpark3),
		ExecutionRole:                          aws.String(role),
		IdentityCenterConfiguration: &types.IdentityCenterConfiguration{
			EnableIdentityCenter: aws.Bool(true), IdentityCenterInstanceArn: aws.String("arn:aws:sso:::instance/ssoins-0123456789abcdef"),
		},
		QueryResultsS3AccessGrantsConfiguration: &types.QueryResultsS3AccessGrantsConfiguration{
			AuthenticationType: types.AuthenticationTypeDirectoryIdentity, EnableS3AccessGrants: aws.Bool(true), CreateUserLevelPrefix: aws.Bool(false),
		},
		ManagedQueryResultsConfiguration: &types.ManagedQueryResultsConfiguration{
			Enabled: true, EncryptionConfiguration: &types.ManagedQueryResultsEncryptionConfiguration{KmsKey: aws.String("alias/results")},
		},
		MonitoringConfiguration: &types.MonitoringConfiguration{
			CloudWatchLoggingConfiguration: &types.CloudWatchLoggingConfiguration{
				Enabled: aws.Bool(true), LogGroup: aws.String("/aws-athena/etl"), LogStreamNamePrefix: aws.String("spark"),
				LogTypes: map[string][]string{"SPARK_DRIVER": {"STDOUT", "STDERR"}, "SPARK_EXECUTOR": {"STDERR"}},
			},
			ManagedLoggingConfiguration: &types.ManagedLoggingConfiguration{Enabled: aws.Bool(true), KmsKey: aws.String("alias/logs")},
			S3LoggingConfiguration:      &types.S3LoggingConfiguration{Enabled: aws.Bool(true), KmsKey: aws.String("alias/logs"), LogLocation: aws.String("s3://logs/etl/")},
		},
		PublishCloudWatchMetricsEnabled: aws.Bool(true),
		RequesterPaysEnabled:            aws.Bool(true),
		ResultConfiguration: &types.ResultConfiguration{
			OutputLocation:          aws.String("s3://results/etl/"),
			EncryptionConfiguration: &types.EncryptionConfiguration{EncryptionOption: types.EncryptionOptionSseKms, KmsKey: aws.String("alias/results")},
			ExpectedBucketOwner:     aws.String("123456789012"),
			AclConfiguration:        &types.AclConfiguration{S3AclOption: types.S3AclOptionBucketOwnerFullControl},
		},
	}
}

func TestTerraform_WorkGroup(t *testing.T) {
	t.Run("reads back each member that it set", func(t *testing.T) {
		r := newTF(t)
		r.create(everything(), tag("team", "data"))
		want := everything()
		want.EngineVersion.EffectiveEngineVersion = aws.String(hearth.EnginePySpark3)
		equal(t, r.read(), &types.WorkGroup{Name: r.name, State: types.WorkGroupStateEnabled, Configuration: want, CreationTime: &time.Time{}})
		equal(t, r.tags(r.arn()), map[string]string{"team": "data"})
	})

	t.Run("reads back no block that it did not set", func(t *testing.T) {
		r := newTF(t)
		r.create(&types.WorkGroupConfiguration{EngineVersion: selected(hearth.EngineSpark35), ExecutionRole: aws.String(role)})
		equal(t, r.read().Configuration, &types.WorkGroupConfiguration{
			EngineVersion:                        &types.EngineVersion{SelectedEngineVersion: aws.String(hearth.EngineSpark35), EffectiveEngineVersion: aws.String(hearth.EngineSpark35)},
			ExecutionRole:                        aws.String(role),
			ResultConfiguration:                  &types.ResultConfiguration{},
			EnforceWorkGroupConfiguration:        aws.Bool(true),
			PublishCloudWatchMetricsEnabled:      aws.Bool(true),
			RequesterPaysEnabled:                 aws.Bool(false),
			EnableMinimumEncryptionConfiguration: aws.Bool(false),
		})
		equal(t, r.tags(r.arn()), map[string]string{})
	})

	t.Run("reads back its own defaults of a workgroup that has a name only", func(t *testing.T) {
		r := newTF(t)
		r.create(nil)
		got := r.read().Configuration
		equal(t, got.EnforceWorkGroupConfiguration, aws.Bool(true))
		equal(t, got.PublishCloudWatchMetricsEnabled, aws.Bool(true))
	})

	t.Run("an update changes what it gives and keeps everything else", func(t *testing.T) {
		r := newTF(t)
		r.create(everything(), tag("team", "data"))
		want := r.read()
		r.configure(&types.WorkGroupConfigurationUpdates{
			EnforceWorkGroupConfiguration: aws.Bool(false),
			EngineVersion:                 selected(hearth.EnginePySpark3),
			ExecutionRole:                 aws.String(other),
			ResultConfigurationUpdates:    &types.ResultConfigurationUpdates{OutputLocation: aws.String("s3://elsewhere/x")},
			ManagedQueryResultsConfigurationUpdates: &types.ManagedQueryResultsConfigurationUpdates{
				Enabled: aws.Bool(false),
			},
		})
		want.Configuration.EnforceWorkGroupConfiguration = aws.Bool(false)
		want.Configuration.ExecutionRole = aws.String(other)
		want.Configuration.ResultConfiguration.OutputLocation = aws.String("s3://elsewhere/x")
		want.Configuration.ManagedQueryResultsConfiguration.Enabled = false
		equal(t, r.read(), want)
		equal(t, r.tags(r.arn()), map[string]string{"team": "data"})
	})

	t.Run("each Remove flag removes its member only", func(t *testing.T) {
		yes := aws.Bool(true)
		for name, test := range map[string]struct {
			updates types.WorkGroupConfigurationUpdates
			removed func(*types.WorkGroupConfiguration)
		}{
			"BytesScannedCutoffPerQuery": {
				types.WorkGroupConfigurationUpdates{RemoveBytesScannedCutoffPerQuery: yes},
				func(c *types.WorkGroupConfiguration) { c.BytesScannedCutoffPerQuery = nil },
			},
			"CustomerContentEncryptionConfiguration": {
				types.WorkGroupConfigurationUpdates{RemoveCustomerContentEncryptionConfiguration: yes},
				func(c *types.WorkGroupConfiguration) { c.CustomerContentEncryptionConfiguration = nil },
			},
			"OutputLocation": {
				types.WorkGroupConfigurationUpdates{ResultConfigurationUpdates: &types.ResultConfigurationUpdates{RemoveOutputLocation: yes}},
				func(c *types.WorkGroupConfiguration) { c.ResultConfiguration.OutputLocation = nil },
			},
			"EncryptionConfiguration": {
				types.WorkGroupConfigurationUpdates{ResultConfigurationUpdates: &types.ResultConfigurationUpdates{RemoveEncryptionConfiguration: yes}},
				func(c *types.WorkGroupConfiguration) { c.ResultConfiguration.EncryptionConfiguration = nil },
			},
			"ExpectedBucketOwner": {
				types.WorkGroupConfigurationUpdates{ResultConfigurationUpdates: &types.ResultConfigurationUpdates{RemoveExpectedBucketOwner: yes}},
				func(c *types.WorkGroupConfiguration) { c.ResultConfiguration.ExpectedBucketOwner = nil },
			},
			"AclConfiguration": {
				types.WorkGroupConfigurationUpdates{ResultConfigurationUpdates: &types.ResultConfigurationUpdates{RemoveAclConfiguration: yes}},
				func(c *types.WorkGroupConfiguration) { c.ResultConfiguration.AclConfiguration = nil },
			},
			"the encryption of managed results": {
				types.WorkGroupConfigurationUpdates{ManagedQueryResultsConfigurationUpdates: &types.ManagedQueryResultsConfigurationUpdates{RemoveEncryptionConfiguration: yes}},
				func(c *types.WorkGroupConfiguration) {
					c.ManagedQueryResultsConfiguration.EncryptionConfiguration = nil
				},
			},
		} {
			t.Run(name, func(t *testing.T) {
				r := newTF(t)
				r.create(everything())
				want := r.read()
				r.configure(&test.updates)
				test.removed(want.Configuration)
				equal(t, r.read(), want)
			})
		}
	})

	t.Run("blocks that are given replace what was there", func(t *testing.T) {
		r := newTF(t)
		r.create(everything())
		want := r.read()
		updates := &types.WorkGroupConfigurationUpdates{
			MonitoringConfiguration: &types.MonitoringConfiguration{
				ManagedLoggingConfiguration: &types.ManagedLoggingConfiguration{Enabled: aws.Bool(false)},
			},
			EngineConfiguration: &types.EngineConfiguration{MaxConcurrentDpus: aws.Int32(4)},
			QueryResultsS3AccessGrantsConfiguration: &types.QueryResultsS3AccessGrantsConfiguration{
				AuthenticationType: types.AuthenticationTypeDirectoryIdentity, EnableS3AccessGrants: aws.Bool(false),
			},
			CustomerContentEncryptionConfiguration: &types.CustomerContentEncryptionConfiguration{KmsKey: aws.String("alias/other")},
			BytesScannedCutoffPerQuery:             aws.Int64(20000000),
			AdditionalConfiguration:                aws.String("additional"),
		}
		r.configure(updates)
		want.Configuration.MonitoringConfiguration = updates.MonitoringConfiguration
		want.Configuration.EngineConfiguration = updates.EngineConfiguration
		want.Configuration.QueryResultsS3AccessGrantsConfiguration = updates.QueryResultsS3AccessGrantsConfiguration
		want.Configuration.CustomerContentEncryptionConfiguration = updates.CustomerContentEncryptionConfiguration
		want.Configuration.BytesScannedCutoffPerQuery = updates.BytesScannedCutoffPerQuery
		want.Configuration.AdditionalConfiguration = updates.AdditionalConfiguration
		equal(t, r.read(), want)
	})

	t.Run("state and description come and go", func(t *testing.T) {
		r := newTF(t)
		r.create(everything())
		for _, state := range []types.WorkGroupState{types.WorkGroupStateDisabled, types.WorkGroupStateEnabled} {
			if err := r.update(&sdk.UpdateWorkGroupInput{State: state}); err != nil {
				t.Fatal(err)
			}
			if got := r.read().State; got != state {
				t.Errorf("state is %s, want %s", got, state)
			}
		}
		for text, want := range map[string]*string{"nightly": aws.String("nightly"), "": nil} {
			if err := r.update(&sdk.UpdateWorkGroupInput{Description: &text}); err != nil {
				t.Fatal(err)
			}
			equal(t, r.read().Description, want)
		}
	})

	t.Run("tags are changed one by one", func(t *testing.T) {
		r := newTF(t)
		r.create(everything(), tag("a", "1"), tag("b", ""))
		if _, err := r.c.UntagResource(t.Context(), &sdk.UntagResourceInput{ResourceARN: r.arn(), TagKeys: []string{"a"}}); err != nil {
			t.Fatal(err)
		}
		if _, err := r.c.TagResource(t.Context(), &sdk.TagResourceInput{ResourceARN: r.arn(), Tags: []types.Tag{tag("b", "2"), tag("c", "3")}}); err != nil {
			t.Fatal(err)
		}
		equal(t, r.tags(r.arn()), map[string]string{"b": "2", "c": "3"})
	})

	t.Run("is gone when it was destroyed", func(t *testing.T) {
		r := newTF(t)
		r.create(everything(), tag("a", "1"))
		if _, err := r.c.DeleteWorkGroup(t.Context(), &sdk.DeleteWorkGroupInput{WorkGroup: r.name, RecursiveDeleteOption: aws.Bool(false)}); err != nil {
			t.Fatal(err)
		}
		_, err := r.c.GetWorkGroup(t.Context(), &sdk.GetWorkGroupInput{WorkGroup: r.name})
		invalidWith(t, err, "is not found")
		_, err = r.c.ListTagsForResource(t.Context(), &sdk.ListTagsForResourceInput{ResourceARN: r.arn()})
		invalidWith(t, err, "is not found")
		invalidWith(t, r.update(&sdk.UpdateWorkGroupInput{State: types.WorkGroupStateDisabled}), "is not found")

		r.create(everything())
		equal(t, r.tags(r.arn()), map[string]string{})
	})

	t.Run("of SQL can be made and read back", func(t *testing.T) {
		for name, c := range map[string]*types.WorkGroupConfiguration{
			"nothing": nil, "auto": {EngineVersion: selected(hearth.EngineAuto)}, "v3": {EngineVersion: selected(hearth.EngineSQL3)},
		} {
			r := newTF(t)
			r.create(c)
			want := hearth.EngineAuto
			if name == "v3" {
				want = hearth.EngineSQL3
			}
			equal(t, r.read().Configuration.EngineVersion, &types.EngineVersion{SelectedEngineVersion: &want, EffectiveEngineVersion: aws.String(hearth.EngineSQL3)})
			_, err := r.c.StartSession(t.Context(), &sdk.StartSessionInput{WorkGroup: r.name, EngineConfiguration: &types.EngineConfiguration{}})
			invalidWith(t, err, "Workgroup EngineVersion is not Spark.")
		}
	})
}

func TestTerraform_Refusals(t *testing.T) {
	spark := func(edit func(*types.WorkGroupConfiguration)) *types.WorkGroupConfiguration {
		c := &types.WorkGroupConfiguration{EngineVersion: selected(hearth.EngineSpark35), ExecutionRole: aws.String(role)}
		edit(c)
		return c
	}
	for words, c := range map[string]*types.WorkGroupConfiguration{
		"executionRole is null or empty": spark(func(c *types.WorkGroupConfiguration) { c.ExecutionRole = nil }),
		"outputLocation is not a valid S3 path": spark(func(c *types.WorkGroupConfiguration) {
			c.ResultConfiguration = &types.ResultConfiguration{OutputLocation: aws.String("/tmp")}
		}),
		"No engine has the name": spark(func(c *types.WorkGroupConfiguration) { c.EngineVersion = selected("Spark 9") }),
		"CoordinatorDpuSize is not supported": spark(func(c *types.WorkGroupConfiguration) {
			c.EngineConfiguration = &types.EngineConfiguration{CoordinatorDpuSize: aws.Int32(1)}
		}),
		"SparkProperties is not supported": spark(func(c *types.WorkGroupConfiguration) {
			c.EngineConfiguration = &types.EngineConfiguration{SparkProperties: map[string]string{}}
		}),
		"Spark property spark.master cannot be set": spark(func(c *types.WorkGroupConfiguration) {
			c.EngineConfiguration = &types.EngineConfiguration{Classifications: []types.Classification{{Name: aws.String("spark-defaults"), Properties: map[string]string{"spark.master": "yarn"}}}}
		}),
	} {
		t.Run(words, func(t *testing.T) {
			r := newTF(t)
			_, err := r.c.CreateWorkGroup(t.Context(), &sdk.CreateWorkGroupInput{Name: r.name, Configuration: c})
			invalidWith(t, err, words)
			_, err = r.c.GetWorkGroup(t.Context(), &sdk.GetWorkGroupInput{WorkGroup: r.name})
			invalidWith(t, err, "is not found")
		})
	}

	t.Run("a name that is taken", func(t *testing.T) {
		r := newTF(t)
		r.create(everything())
		_, err := r.c.CreateWorkGroup(t.Context(), &sdk.CreateWorkGroupInput{Name: r.name})
		invalidWith(t, err, "exists already")
	})

	t.Run("tags", func(t *testing.T) {
		r := newTF(t)
		for words, tags := range map[string][]types.Tag{
			"must not be empty": {}, "given twice": {tag("a", "1"), tag("a", "2")}, "reserved": {tag("AWS:x", "")}, "no key": {{}},
		} {
			_, err := r.c.CreateWorkGroup(t.Context(), &sdk.CreateWorkGroupInput{Name: r.name, Tags: tags})
			invalidWith(t, err, words)
		}
		_, err := r.c.TagResource(t.Context(), &sdk.TagResourceInput{ResourceARN: aws.String("arn:aws:athena:us-east-1:1:datacatalog/x"), Tags: []types.Tag{tag("a", "")}})
		invalidWith(t, err, "is not the ARN")
		_, err = r.c.UntagResource(t.Context(), &sdk.UntagResourceInput{ResourceARN: r.arn(), TagKeys: []string{"a"}})
		invalidWith(t, err, "is not found")
	})

	t.Run("an update to another engine, or to what the engine does not take", func(t *testing.T) {
		r := newTF(t)
		r.create(everything())
		was := r.read()
		for _, engine := range []string{hearth.EngineSpark35, hearth.EngineAuto, hearth.EngineSQL3} {
			invalidWith(t, r.update(&sdk.UpdateWorkGroupInput{ConfigurationUpdates: &types.WorkGroupConfigurationUpdates{EngineVersion: selected(engine)}}), "cannot be changed")
		}
		invalidWith(t, r.update(&sdk.UpdateWorkGroupInput{ConfigurationUpdates: &types.WorkGroupConfigurationUpdates{
			EngineConfiguration: &types.EngineConfiguration{Classifications: []types.Classification{{Name: aws.String("core-site")}}},
		}}), "Classification")
		equal(t, r.read(), was)
	})

	t.Run("the end of the primary workgroup", func(t *testing.T) {
		r := newTF(t)
		_, err := r.c.DeleteWorkGroup(t.Context(), &sdk.DeleteWorkGroupInput{WorkGroup: aws.String("primary"), RecursiveDeleteOption: aws.Bool(true)})
		invalidWith(t, err, "cannot be deleted")
	})
}

func TestWorkGroupOfSessions(t *testing.T) {
	start := func(t *testing.T, r tf, in *sdk.StartSessionInput) *sdk.GetSessionOutput {
		t.Helper()
		in.WorkGroup = r.name
		if in.EngineConfiguration == nil {
			in.EngineConfiguration = &types.EngineConfiguration{}
		}
		started, err := r.c.StartSession(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		session, err := r.c.GetSession(t.Context(), &sdk.GetSessionInput{SessionId: started.SessionId})
		if err != nil {
			t.Fatal(err)
		}
		return session
	}
	// No session can be started with code or logs that only a key of AWS could encrypt.
	monitored := func() *types.MonitoringConfiguration {
		m := everything().MonitoringConfiguration
		m.ManagedLoggingConfiguration.KmsKey, m.S3LoggingConfiguration.KmsKey = nil, nil
		return m
	}
	with := func(engine *types.EngineConfiguration) *types.WorkGroupConfiguration {
		c := everything()
		c.EngineConfiguration, c.MonitoringConfiguration = engine, monitored()
		c.CustomerContentEncryptionConfiguration = nil
		return c
	}

	t.Run("its settings are theirs, where they have none of their own", func(t *testing.T) {
		r := newTF(t)
		r.create(with(&types.EngineConfiguration{MaxConcurrentDpus: aws.Int32(4), SparkProperties: map[string]string{"spark.a": "group", "spark.b": "group"}}))
		session := start(t, r, &sdk.StartSessionInput{})
		if got := session.EngineConfiguration; *got.MaxConcurrentDpus != 4 || got.SparkProperties["spark.a"] != "group" {
			t.Errorf("engine configuration %+v", got)
		}
		equal(t, session.MonitoringConfiguration, monitored())
		equal(t, session.SessionConfiguration.ExecutionRole, aws.String(role))
		equal(t, session.SessionConfiguration.EncryptionConfiguration, everything().ResultConfiguration.EncryptionConfiguration)
		equal(t, session.SessionConfiguration.WorkingDirectory, aws.String("s3://results/etl/"+*session.SessionId))

		session = start(t, r, &sdk.StartSessionInput{
			EngineConfiguration: &types.EngineConfiguration{MaxConcurrentDpus: aws.Int32(2), SparkProperties: map[string]string{"spark.b": "own"}},
			ExecutionRole:       aws.String(other),
			MonitoringConfiguration: &types.MonitoringConfiguration{
				S3LoggingConfiguration: &types.S3LoggingConfiguration{Enabled: aws.Bool(false)},
			},
		})
		if got := session.EngineConfiguration; *got.MaxConcurrentDpus != 2 || !maps.Equal(got.SparkProperties, map[string]string{"spark.a": "group", "spark.b": "own"}) {
			t.Errorf("engine configuration %+v", got)
		}
		monitoring := monitored()
		monitoring.S3LoggingConfiguration = &types.S3LoggingConfiguration{Enabled: aws.Bool(false)}
		equal(t, session.MonitoringConfiguration, monitoring)
		equal(t, session.SessionConfiguration.ExecutionRole, aws.String(other))
	})

	t.Run("its changes reach new sessions only", func(t *testing.T) {
		r := newTF(t)
		r.create(with(&types.EngineConfiguration{MaxConcurrentDpus: aws.Int32(4)}))
		before := start(t, r, &sdk.StartSessionInput{})
		r.configure(&types.WorkGroupConfigurationUpdates{
			ExecutionRole:              aws.String(other),
			EngineConfiguration:        &types.EngineConfiguration{MaxConcurrentDpus: aws.Int32(8)},
			ResultConfigurationUpdates: &types.ResultConfigurationUpdates{OutputLocation: aws.String("s3://elsewhere"), RemoveEncryptionConfiguration: aws.Bool(true)},
			MonitoringConfiguration:    &types.MonitoringConfiguration{},
		})
		again, err := r.c.GetSession(t.Context(), &sdk.GetSessionInput{SessionId: before.SessionId})
		if err != nil {
			t.Fatal(err)
		}
		equal(t, again.EngineConfiguration, before.EngineConfiguration)
		equal(t, again.SessionConfiguration, before.SessionConfiguration)
		equal(t, again.MonitoringConfiguration, before.MonitoringConfiguration)

		session := start(t, r, &sdk.StartSessionInput{})
		equal(t, session.EngineConfiguration.MaxConcurrentDpus, aws.Int32(8))
		equal(t, session.SessionConfiguration.ExecutionRole, aws.String(other))
		equal(t, session.SessionConfiguration.EncryptionConfiguration, nil)
		equal(t, session.SessionConfiguration.WorkingDirectory, aws.String("s3://elsewhere/"+*session.SessionId))
	})

	t.Run("disabled, and without a location for results, it takes none", func(t *testing.T) {
		r := newTF(t)
		r.create(with(nil))
		for words, in := range map[string]*sdk.UpdateWorkGroupInput{
			"is disabled": {State: types.WorkGroupStateDisabled},
			"has no location": {State: types.WorkGroupStateEnabled, ConfigurationUpdates: &types.WorkGroupConfigurationUpdates{
				ResultConfigurationUpdates: &types.ResultConfigurationUpdates{RemoveOutputLocation: aws.Bool(true)},
			}},
		} {
			if err := r.update(in); err != nil {
				t.Fatal(err)
			}
			_, err := r.c.StartSession(t.Context(), &sdk.StartSessionInput{WorkGroup: r.name, EngineConfiguration: &types.EngineConfiguration{}})
			invalidWith(t, err, words)
			r.configure(&types.WorkGroupConfigurationUpdates{ResultConfigurationUpdates: &types.ResultConfigurationUpdates{OutputLocation: aws.String("s3://results/")}})
		}
	})

	t.Run("its tags are theirs too, unless these are not wanted, and their own win", func(t *testing.T) {
		for _, test := range []struct {
			name string
			copy *bool
			want map[string]string
		}{
			{"copied by default", nil, map[string]string{"team": "own", "cost": "1", "x": ""}},
			{"copied", aws.Bool(true), map[string]string{"team": "own", "cost": "1", "x": ""}},
			{"not copied", aws.Bool(false), map[string]string{"team": "own", "x": ""}},
		} {
			t.Run(test.name, func(t *testing.T) {
				r := newTF(t)
				r.create(with(nil), tag("team", "data"), tag("cost", "1"))
				session := start(t, r, &sdk.StartSessionInput{Tags: []types.Tag{tag("team", "own"), tag("x", "")}, CopyWorkGroupTags: test.copy})
				arn := aws.String(*r.arn() + "/session/" + *session.SessionId)
				equal(t, r.tags(arn), test.want)
				if _, err := r.c.TagResource(t.Context(), &sdk.TagResourceInput{ResourceARN: arn, Tags: []types.Tag{tag("x", "y")}}); err != nil {
					t.Fatal(err)
				}
				test.want["x"] = "y"
				equal(t, r.tags(arn), test.want)
				equal(t, r.tags(r.arn()), map[string]string{"team": "data", "cost": "1"})

				_, err := r.c.ListTagsForResource(t.Context(), &sdk.ListTagsForResourceInput{
					ResourceARN: aws.String("arn:aws:athena:us-east-1:123456789012:workgroup/primary/session/" + *session.SessionId),
				})
				invalidWith(t, err, "is not found")
			})
		}
	})

	t.Run("it goes after them", func(t *testing.T) {
		r := newTF(t)
		r.create(with(nil))
		session := start(t, r, &sdk.StartSessionInput{})
		_, err := r.c.DeleteWorkGroup(t.Context(), &sdk.DeleteWorkGroupInput{WorkGroup: r.name})
		invalidWith(t, err, "WorkGroup etl is not empty")
		if _, err := r.c.DeleteWorkGroup(t.Context(), &sdk.DeleteWorkGroupInput{WorkGroup: r.name, RecursiveDeleteOption: aws.Bool(true)}); err != nil {
			t.Fatal(err)
		}
		status, err := r.c.GetSessionStatus(t.Context(), &sdk.GetSessionStatusInput{SessionId: session.SessionId})
		if err != nil || status.Status.State != types.SessionStateTerminated {
			t.Errorf("the session is %v, %v", status, err)
		}
		_, err = r.c.ListSessions(t.Context(), &sdk.ListSessionsInput{WorkGroup: r.name})
		invalidWith(t, err, "is not found")
	})
}
