package spark

import (
	"cmp"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"hearth"
)

// MavenCentral is the repository that engines get jars from unless another one
// is named.
const MavenCentral = "https://repo1.maven.org/maven2"

// jar is a file of a Maven repository, or one of Hearth's own. It is known by its
// checksum: it does not matter who serves it.
type jar struct {
	group, artifact, version string
	size                     int64
	sum                      string // SHA-256
	content                  []byte // of Hearth's own, which no repository has
}

func mavenJar(group, artifact, version string, size int64, sum string) jar {
	return jar{group: group, artifact: artifact, version: version, size: size, sum: sum}
}

// ownJar is one that this program brings. It is named by its content: an engine
// with another one is brought up to date.
func ownJar(artifact string, content []byte) jar {
	s := sum(content)
	return jar{artifact: artifact, version: s[:8], size: int64(len(content)), sum: s, content: content}
}

func (j jar) file() string { return j.artifact + "-" + j.version + ".jar" }

func (j jar) address(repository string) string {
	return strings.Join([]string{strings.TrimSuffix(repository, "/"), strings.ReplaceAll(j.group, ".", "/"), j.artifact, j.version, j.file()}, "/")
}

// s3Jars let Spark 3.5, which has Hadoop 3.3.4 in it, read and write S3. The SDK
// that hadoop-aws asks for is one jar of 268 MB; these of its parts are what
// S3A's classes mention. The rest of what they need is among Spark's own jars.
var s3Jars = []jar{
	mavenJar("org.apache.hadoop", "hadoop-aws", "3.3.4", 962685, "53f9ae03c681a30a50aa17524bd9790ab596b28481858e54efd989a826ed3a4a"),
	mavenJar("org.apache.spark", "spark-hadoop-cloud_2.12", "3.5.7", 30292, "2b70d491d61c736cd9721e61936e802cb9150048d50eeca3ee1d14fc21011027"),
	mavenJar("com.amazonaws", "aws-java-sdk-core", "1.12.262", 1045128, "06fed99f929c389e168278c1b111aaf1afb270d07202fbbce92e73d1e4279678"),
	mavenJar("com.amazonaws", "aws-java-sdk-s3", "1.12.262", 1256738, "a0cb7580178bc0d4d3558295a5bb890008478da8a6b3241989c71238b0ed3be5"),
	mavenJar("com.amazonaws", "aws-java-sdk-kms", "1.12.262", 656123, "c00f5ae7b334255f661d85512e7203af9523a04fb65d0c431c2eea2003ed8ae2"),
	mavenJar("com.amazonaws", "aws-java-sdk-sts", "1.12.262", 150756, "659f48d8ebc02025c5042cc4b925f62610e81f334498f1b9e7a271ce20ecbcae"),
	mavenJar("com.amazonaws", "aws-java-sdk-dynamodb", "1.12.262", 1997350, "7af4ba06d0d9b3c2ab435089caecd0567810d203aa285f7aa72861f1964d442e"),
	mavenJar("com.amazonaws", "jmespath-java", "1.12.262", 27590, "9001ea993a45d82a2d3086edcbda8a40b4e012d049a70fbf071fd329c0fbd777"),
}

//go:embed java/hearth.jar
var commitProtocol []byte

// commitJar holds CommitProtocol, compiled.
var commitJar = ownJar("hearth", commitProtocol)

func sum(content []byte) string {
	s := sha256.Sum256(content)
	return hex.EncodeToString(s[:])
}

// repository is a Maven repository. The environment's proxies are used.
type repository struct {
	url    string
	client *http.Client
	tell   func(doing string, done, total int64)
}

func (e Engines) repository(tell func(doing string, done, total int64)) repository {
	client := &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
	return repository{url: cmp.Or(e.Maven, MavenCentral), client: client, tell: tell}
}

const (
	fetchAttempts = 4
	fetchStall    = 30 * time.Second // without a byte; then the transfer is begun again where it broke off
)

// fetch puts the jar into dir, whole and with the right content or not at all.
// What came of it is kept, and gone on with: after a connection that broke off,
// and by the next installation.
func (r repository) fetch(ctx context.Context, j jar, dir string) error {
	target := filepath.Join(dir, j.file())
	if hasSum(target, j.sum) {
		return nil
	}
	part := target + ".part"
	if j.content != nil {
		return errors.Join(os.WriteFile(part, j.content, 0o644), os.Rename(part, target))
	}
	var err error
	for range fetchAttempts {
		if err = r.load(ctx, j, part); err == nil {
			break
		}
		if _, final := errors.AsType[*hearth.Error](err); final || ctx.Err() != nil {
			return err
		}
		r.tell("the Maven repository does not answer, trying again", 0, 0)
	}
	if err != nil {
		return hearth.Errorf(hearth.KindUnavailable, "The Maven repository %s does not answer, or the connection broke off: %w. "+
			"Check the network; behind a firewall name a mirror in the setting maven_url, or a proxy in HTTPS_PROXY. "+keepsWhatItHas, r.url, err)
	}
	if !hasSum(part, j.sum) {
		if err := os.Remove(part); err != nil {
			return err
		}
		return hearth.Errorf(hearth.KindUnavailable, "%s came with another content than it should have, so it was thrown away. "+
			"Install again; if it stays so, the repository, or a proxy on the way, changes files.", j.address(r.url))
	}
	return os.Rename(part, target)
}

// load appends to a part of the file what it lacks.
func (r repository) load(ctx context.Context, j jar, part string) error {
	f, err := os.OpenFile(part, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return hearth.Errorf(hearth.KindUnavailable, "The engines' directory cannot be written: %w.", err)
	}
	defer f.Close()
	have, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stalled := time.AfterFunc(fetchStall, func() { cancel(errors.New("nothing came for " + fetchStall.String())) })
	defer stalled.Stop()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, j.address(r.url), nil)
	if err != nil {
		return err
	}
	if have > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
	}
	answer, err := r.client.Do(request)
	if err != nil {
		return causeOf(ctx, err)
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusPartialContent:
	case http.StatusRequestedRangeNotSatisfiable: // it is there to its end
		return nil
	case http.StatusOK:
		have = 0
		if err := errors.Join(f.Truncate(0), seekStart(f)); err != nil {
			return err
		}
	case http.StatusNotFound:
		return hearth.Errorf(hearth.KindUnavailable, "The Maven repository %s does not have %s. Name a complete one in the setting maven_url.", r.url, j.file())
	default:
		return errors.New(answer.Status)
	}
	total := have + max(0, answer.ContentLength)
	to := writerFunc(func(p []byte) (int, error) {
		stalled.Reset(fetchStall)
		n, err := f.Write(p)
		have += int64(n)
		r.tell(j.artifact+" "+j.version, have, total)
		if err != nil {
			err = hearth.Errorf(hearth.KindUnavailable, "The engines' directory cannot be written: %w. Make room on its disk, or put the engines on another one with HEARTH_ENGINES. "+keepsWhatItHas, err)
		}
		return n, err
	})
	_, err = io.Copy(to, answer.Body)
	return causeOf(ctx, err)
}

// causeOf names why a context that ended something was done.
func causeOf(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func seekStart(f *os.File) error {
	_, err := f.Seek(0, io.SeekStart)
	return err
}

type writerFunc func([]byte) (int, error)

func (w writerFunc) Write(p []byte) (int, error) { return w(p) }

// hasSum reports whether the file is there with this content.
func hasSum(path, wanted string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return err == nil && hex.EncodeToString(h.Sum(nil)) == wanted
}

// jarsDir has the jars that Spark does not bring along.
func (e Engines) jarsDir(version string) string { return filepath.Join(e.dir(version), "jars") }

// addedJars are the files of all jars beside Spark's own, in the order of the
// class path.
func (e Engines) addedJars(version string) []string {
	var files []string
	for _, j := range e.line(version).jars {
		files = append(files, filepath.Join(e.jarsDir(version), j.file()))
	}
	return files
}

// installJars makes the class path. Jars that are there already, whole, are not
// loaded again; nothing that drivers start from is touched.
func (i *installation) installJars(ctx context.Context) error {
	dir := i.jarsDir(i.engine.Version)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return hearth.Errorf(hearth.KindUnavailable, "The engines' directory cannot be written: %w.", err)
	}
	from := i.repository(i.tell)
	defer from.client.CloseIdleConnections()
	for _, j := range i.line.jars {
		if err := from.fetch(ctx, j, dir); err != nil {
			return err
		}
	}
	spark, err := classPath(i.engine.SparkHome)
	if err != nil {
		return err
	}
	if spark, err = unsigned(spark, dir); err != nil {
		return err
	}
	i.engine.ClassPath = append(spark, i.addedJars(i.engine.Version)...)
	return nil
}

// missingJars are those that the engine should have beside Spark's own, and
// does not: it was made by an earlier Hearth, or somebody removed them.
func (e Engines) missingJars(engine *Engine) []string {
	missing := lacking(e.jarsDir(engine.Version), e.line(engine.Version).jars)
	for _, file := range e.addedJars(engine.Version) {
		if name := filepath.Base(file); !slices.Contains(engine.ClassPath, file) && !slices.Contains(missing, name) {
			missing = append(missing, name)
		}
	}
	return missing
}

// lacking are the files of the jars that are not in dir, or not to their end.
// Only its checksum tells that a file is the right one.
func lacking(dir string, jars []jar) (files []string) {
	for _, j := range jars {
		if info, err := os.Stat(filepath.Join(dir, j.file())); err != nil || info.Size() != j.size {
			files = append(files, j.file())
		}
	}
	return files
}

// checkSums gives the file of a jar that is there with another content, "" when
// there is none.
func checkSums(dir string, jars []jar) string {
	for _, j := range jars {
		if _, err := os.Stat(filepath.Join(dir, j.file())); err == nil && !hasSum(filepath.Join(dir, j.file()), j.sum) {
			return j.file()
		}
	}
	return ""
}
