package spark

import (
	"slices"
	"strings"
	"testing"

	"hearth"
)

func TestStore(t *testing.T) {
	const token, key, endpoint = hadoop + "fs.s3a.session.token", hadoop + "fs.s3a.access.key", hadoop + "fs.s3a.endpoint"
	engine := pretended(t)
	store := Store{Endpoint: "http://127.0.0.1:8650", Region: "eu-central-1", AccessKeyID: "ASIAX", SecretAccessKey: "own secret", SessionToken: "own token"}
	launch := hearth.Launch{SessionID: "s-1", Master: "local[1]"}

	t.Run("is in the environment, and its secrets nowhere else", func(t *testing.T) {
		env := engine.environment(launch, store)
		for _, want := range []string{
			"AWS_ACCESS_KEY_ID=ASIAX", "AWS_SECRET_ACCESS_KEY=own secret", "AWS_SESSION_TOKEN=own token",
			"AWS_ENDPOINT_URL_S3=http://127.0.0.1:8650", "AWS_REGION=eu-central-1", "AWS_DEFAULT_REGION=eu-central-1",
		} {
			if !slices.Contains(env, want) {
				t.Errorf("%s is missing", want)
			}
		}
		settings := engine.settings(launch, t.TempDir(), store)
		for name, value := range settings {
			if strings.Contains(value, "own ") {
				t.Errorf("%s is %s", name, value)
			}
		}
		if settings[endpoint] != store.Endpoint {
			t.Errorf("the endpoint is %s", settings[endpoint])
		}
	})
	t.Run("has one kind of file system for s3 and s3n", func(t *testing.T) {
		settings := engine.settings(launch, t.TempDir(), store)
		for _, scheme := range []string{"s3", "s3n"} {
			own, other := settings[hadoop+"fs."+scheme+".impl"], settings[hadoop+"fs.AbstractFileSystem."+scheme+".impl"]
			if own != "org.apache.hadoop.fs.s3a.S3AFileSystem" || other != "" {
				t.Errorf("%s is %q and %q", scheme, own, other)
			}
		}
	})
	t.Run("signs with the token or not at all", func(t *testing.T) {
		if from := engine.settings(launch, t.TempDir(), store)[hadoop+credentials]; from != temporaryCredentials {
			t.Errorf("credentials come from %q", from)
		}
	})
	t.Run("gives way to the session's own", func(t *testing.T) {
		launch := launch
		launch.Properties = map[string]string{endpoint: "https://s3.example", key: "AKIA"}
		settings := engine.settings(launch, t.TempDir(), store)
		if own, set := settings[token]; settings[endpoint] != "https://s3.example" || !set || own != "" {
			t.Errorf("endpoint %s with token %q (%t)", settings[endpoint], own, set)
		}
		launch.Properties[token] = "theirs"
		if settings := engine.settings(launch, t.TempDir(), store); settings[token] != "theirs" || settings[hadoop+credentials] != "" {
			t.Errorf("token %q, from %q", settings[token], settings[hadoop+credentials])
		}
	})
	t.Run("is none where none is named", func(t *testing.T) {
		for _, variable := range engine.environment(launch, Store{}) {
			if strings.HasPrefix(variable, "AWS_") {
				t.Error(variable)
			}
		}
		if settings := engine.settings(launch, t.TempDir(), Store{}); settings[endpoint] != "" || settings[hadoop+"fs.s3.impl"] == "" {
			t.Errorf("endpoint %q", settings[endpoint])
		}
	})
}
