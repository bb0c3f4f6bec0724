package spark

import (
	"path/filepath"
	"slices"

	"hearth"
	"hearth/internal/shim"
)

// Store is what s3:// paths mean in a driver, and whose credentials it has for
// it. The zero Store is none: code and properties have to name one.
type Store struct {
	Endpoint string // http://127.0.0.1:8650, as the driver reaches it
	Region   string

	AccessKeyID, SecretAccessKey, SessionToken string
}

// environment is what AWS's SDKs read, those of Java and Python alike: so no
// secret is in a file or in Spark's properties. Spark gives S3A the credentials
// of its environment by itself. The endpoint is S3's alone: other services are
// not here.
func (s Store) environment() map[string]string {
	if s.Endpoint == "" {
		return nil
	}
	return map[string]string{
		"AWS_ACCESS_KEY_ID":     s.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": s.SecretAccessKey,
		"AWS_SESSION_TOKEN":     s.SessionToken,
		"AWS_ENDPOINT_URL_S3":   s.Endpoint,
		"AWS_REGION":            s.Region,
		"AWS_DEFAULT_REGION":    s.Region,
	}
}

// knowsS3 reports whether the engine has what the properties name. One of an
// earlier Hearth may not have it, as long as it could not be repaired.
func (e *Engine) knowsS3() bool {
	return slices.ContainsFunc(e.ClassPath, func(file string) bool { return filepath.Base(file) == commitJar.file() })
}

// hadoop begins the names of Spark's properties that are Hadoop's settings.
const hadoop = "spark.hadoop."

// properties let Spark's s3://, s3a:// and s3n:// paths be read and written.
func (s Store) properties(bundle string) map[string]string {
	temporary := filepath.Join(bundle, shim.TemporaryDir)
	p := map[string]string{
		"spark.sql.sources.commitProtocolClass":    "hearth.CommitProtocol",
		"spark.sql.parquet.output.committer.class": "org.apache.spark.internal.io.cloud.BindingParquetOutputCommitter",
		// Tasks write to the driver's disk; what they committed is uploaded, and
		// seen when the job commits. Hadoop 3.3.4's other committer for S3, the
		// magic one, loses what two jobs write to one place at a time.
		hadoop + "fs.s3a.committer.name":                     "directory",
		hadoop + "fs.s3a.committer.staging.conflict-mode":    "append", // Spark has removed what is to be overwritten
		hadoop + "fs.s3a.committer.staging.unique-filenames": "false",  // as Spark's are
		hadoop + "fs.s3a.committer.staging.tmp.path":         "file://" + filepath.Join(temporary, "s3a-commits"),
		hadoop + "fs.s3a.buffer.dir":                         filepath.Join(temporary, "s3a"),
		// Other jobs may be writing to the same place. What is left of a job that
		// was killed is the store's to remove.
		hadoop + "fs.s3a.committer.abort.pending.uploads": "false",
		// A server that is restarted is waited for, about a minute. With Hadoop's
		// own numbers a job asks a wrong address for a quarter of an hour.
		hadoop + "fs.s3a.attempts.maximum": "7",
		hadoop + "fs.s3a.retry.limit":      "5",
	}
	// Hadoop's other kind of file system for S3A takes no scheme but s3a. Streams,
	// which prefer it, use this one where there is no other.
	for _, scheme := range []string{"s3", "s3n"} {
		p[hadoop+"fs."+scheme+".impl"] = "org.apache.hadoop.fs.s3a.S3AFileSystem"
		p[hadoop+"mapreduce.outputcommitter.factory.scheme."+scheme] = "org.apache.hadoop.fs.s3a.commit.S3ACommitterFactory"
	}
	if s.SessionToken != "" {
		p[hadoop+credentials] = temporaryCredentials
	}
	if s.Endpoint != "" {
		p[hadoop+"fs.s3a.endpoint"] = s.Endpoint
		p[hadoop+"fs.s3a.endpoint.region"] = s.Region
		p[hadoop+"fs.s3a.path.style.access"] = "true"
	}
	return p
}

// credentials is Hadoop's name for where S3A looks for them. Of its own list
// only these are for a key with a token: a first request that races with another
// is let down by one of them in Hadoop 3.3.4, and would be signed by the next
// one with the key alone, which is refused.
const (
	credentials          = "fs.s3a.aws.credentials.provider"
	temporaryCredentials = "org.apache.hadoop.fs.s3a.TemporaryAWSCredentialsProvider,com.amazonaws.auth.EnvironmentVariableCredentialsProvider"
)

// withOwnKey keeps what belongs to the driver's credentials away from a key that
// a session brings along.
func withOwnKey(settings map[string]string, launch hearth.Launch) {
	const key, token = hadoop + "fs.s3a.access.key", hadoop + "fs.s3a.session.token"
	if _, own := launch.Properties[key]; !own {
		return
	}
	delete(settings, hadoop+credentials)
	if launch.Properties[token] == "" {
		settings[token] = ""
	}
}
