package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"hearth"
	"hearth/internal/access"
	"hearth/internal/athena"
	"hearth/internal/awsjson"
	"hearth/internal/config"
	"hearth/internal/connect"
	"hearth/internal/console"
	"hearth/internal/driver"
	"hearth/internal/history"
	"hearth/internal/httpd"
	"hearth/internal/metastore"
	"hearth/internal/objects"
	"hearth/internal/recent"
	"hearth/internal/rest"
	"hearth/internal/sessions"
	"hearth/internal/shim"
	"hearth/internal/spark"
	"hearth/internal/sqlite"
	"hearth/internal/throttle"
)

// serverOptions are what a server is told beside its settings.
type serverOptions struct {
	// Embedded says that the server is part of a hearth run.
	Embedded bool
	// EndSessions makes the server end all sessions when it leaves.
	EndSessions bool
	// Log gets what happens.
	Log *slog.Logger
	// Progress is told how the installation of an engine goes.
	Progress spark.Progress
}

// server is all that hearth serve runs, put together.
type server struct {
	settings config.Config
	options  serverOptions
	at       home
	log      *slog.Logger

	lock     *dataLock
	keys     *access.Keys
	engines  spark.Engines
	store    *sqlite.Store
	objects  *objects.Store
	history  *history.Servers
	sessions *sessions.Service
	http     *httpd.Server
	connect  *connect.Server
	identity string
	serving  sync.WaitGroup

	waiting atomic.Pointer[string] // what for; nil when the server is ready
}

// newServer takes the data directory and the address, and puts the server
// together. It returns a heldError when another server has the directory.
func newServer(settings config.Config, options serverOptions) (_ *server, err error) {
	s := &server{settings: settings, options: options, at: home(settings.Data), log: options.Log, identity: rand.Text()}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	calls, err := throttleOf(settings.Throttle)
	if err != nil {
		return nil, err
	}
	if err := s.at.make(); err != nil {
		return nil, err
	}
	name := "hearth serve"
	if options.Embedded {
		name = "hearth run"
	}
	if s.lock, err = lockData(s.at, name); err != nil {
		return nil, err
	}
	if err := s.at.checkWhole(); err != nil {
		return nil, err
	}
	if s.keys, err = access.Open(settings.Data); err != nil {
		return nil, err
	}
	if s.store, err = sqlite.Open(s.at.storeFile()); err != nil {
		return nil, err
	}
	if err := metastore.Create(context.Background(), s.at.catalogFile()); err != nil {
		return nil, err
	}
	if s.objects, err = objects.Open(s.at.objectsDir()); err != nil {
		return nil, err
	}
	stores, err := everywhere(settings, s.objects)
	if err != nil {
		return nil, err
	}
	quotas, err := quotasOf(settings)
	if err != nil {
		return nil, err
	}
	s.engines = enginesOf(settings)
	drivers := s.drivers()
	s.history = history.New(history.Config{Events: drivers.Events, Command: s.historyServer, Log: s.log})
	s.sessions = sessions.New(sessions.Config{
		Store:       recent.New(s.store),
		Drivers:     drivers,
		Objects:     stores,
		Histories:   s.history,
		Quotas:      quotas,
		Memory:      settings.Memory(),
		KeepDrivers: settings.KeepDrivers.Duration,
		KeepRecords: settings.KeepRecords.Duration,

		Starts: settings.ConcurrentStarts,
		Pool:   s.pool(),

		ConnectTokenTTL: settings.ConnectTokenTTL.Duration,

		Results: sessions.Retention{Objects: stores, Age: settings.KeepResults.Duration, Size: settings.MaxResultsSize()},
		Log:     s.log,
	})
	pages := console.New(s.sessions, console.Options{Keys: s.keys, Ready: s.ready, Log: s.log})
	link := func(ctx context.Context, sessionID string) (hearth.Link, error) {
		return pages.Link(ctx, principal(ctx), httpd.AddressFrom(ctx), sessionID)
	}
	sparkLink := func(ctx context.Context, sessionID string) (hearth.Link, error) {
		return pages.SparkLink(ctx, principal(ctx), httpd.AddressFrom(ctx), sessionID)
	}
	api := athena.Options{Link: link, SparkLink: sparkLink, EndpointURL: s.endpointURL, Principal: principal, Allow: calls.Allow, Throttled: settings.Throttle.Error, MaxBody: settings.MaxBody, Log: s.log}
	certificate, err := certificateOf(settings.TLSCertificate, settings.TLSKey, s.log)
	if err != nil {
		return nil, err
	}
	s.await("the server starts")
	s.http, err = httpd.Listen(httpd.Config{
		Address:     settings.Listen,
		Certificate: certificate,
		Polls:       athena.IsPoll,
		Athena:      s.whenReady(athena.Handler(s.sessions, api)),
		REST:        s.whenReady(rest.Handler(s.sessions, s.log)),
		Console:     pages,
		Metrics:     rest.Metrics(s.sessions, s.log),
		Objects:     objects.Handler(s.objects, objects.Options{Account: settings.Account, Region: settings.Region, Log: s.log, Allow: allow(settings)}),
		Keys:        s.keys,
		S3Keys:      access.SessionKeys{Keys: s.keys, Session: s.sessions.Session},
		Account:     settings.Account,
		Region:      settings.Region,
		MaxBody:     settings.MaxBody,
		Ready:       s.ready,
		Identity:    s.identity,
		Log:         s.log,
	})
	if err != nil {
		return nil, err
	}
	s.connect, err = s.listenConnect()
	return s, err
}

// throttleOf refuses limits of operations that there are not.
func throttleOf(settings config.Throttle) (*throttle.Throttle, error) {
	limits := make(map[string]throttle.Limit)
	for _, name := range slices.Sorted(maps.Keys(settings.Operations)) {
		if !athena.Serves(name) {
			return nil, hearth.Errorf(hearth.KindInvalid, "The setting throttle.operations has %q, which is no operation that Hearth serves. "+
				"Write it as the API does, like StartSession.", name)
		}
		limits[name] = throttle.Limit(settings.Operations[name])
	}
	return throttle.New(throttle.Limit(settings.Limit), limits), nil
}

// drivers runs drivers by this program itself, on the engine of the session's
// workgroup as it is installed when one is launched.
func (s *server) drivers() *driver.Drivers {
	return driver.New(driver.Config{
		Dir:  s.at.driversDir(),
		Shim: []string{self(), "shim"},
		Prepare: func(ctx context.Context, launch hearth.Launch, bundle string) (shim.Process, *shim.Process, error) {
			engine, err := s.engines.Find(spark.VersionOf(launch.Engine))
			if err != nil {
				return shim.Process{}, nil, err
			}
			if s.settings.LightDrivers {
				kernel, err := engine.Light(launch, bundle, s.storeOf(launch))
				return kernel, nil, err
			}
			if engine, err = s.engines.With(engine, s.settings.TableFormatsOf(launch.WorkGroup)); err != nil {
				return shim.Process{}, nil, err
			}
			return engine.Processes(launch, bundle, s.storeOf(launch))
		},
		Catalog:           s.at.catalogFile(),
		LimitMemory:       s.settings.LimitMemory,
		EndGrace:          s.settings.EndGrace.Duration,
		CancelDeadline:    s.settings.CancelDeadline.Duration,
		Heartbeat:         s.settings.Heartbeat.Duration,
		UnresponsiveAfter: s.settings.UnresponsiveAfter.Duration,
		LostAfter:         s.settings.LostAfter.Duration,
		Log:               s.log,
	})
}

// historyServer is Spark's own, of the engine that the session ran on: another
// line's may not read its event log. It returns KindUnavailable when that engine
// is not installed any more.
func (s *server) historyServer(session hearth.Session, events string) (*exec.Cmd, error) {
	engine, err := s.engines.Find(spark.VersionOf(session.Engine.Effective))
	if hearth.KindOf(err) == hearth.KindNotFound {
		return nil, hearth.Errorf(hearth.KindUnavailable, "Session %s has ended, and its history needs the engine that it ran on. %w", session.ID, err)
	}
	if err != nil {
		return nil, err
	}
	return engine.History(events)
}

// storeOf is what s3:// paths mean in a driver: this server's own endpoint.
func (s *server) storeOf(launch hearth.Launch) spark.Store {
	key := s.keys.SessionKey(launch.SessionID)
	return spark.Store{
		Endpoint:        s.http.URL(),
		Region:          s.settings.Region,
		AccessKeyID:     key.AccessKeyID,
		SecretAccessKey: key.SecretAccessKey,
		SessionToken:    key.SessionToken,
	}
}

// bucketsOf are the rules for the buckets that sessions reach.
func bucketsOf(settings config.Config) access.Buckets {
	buckets := make(access.Buckets)
	for pattern, rule := range settings.Buckets {
		buckets[pattern] = rule.WorkGroups
	}
	return buckets
}

// allow lets whoever reaches a bucket do everything there, if it is here.
func allow(settings config.Config) func(ctx context.Context, bucket string) error {
	reach, stores := bucketsOf(settings), settings.BucketStores()
	return func(ctx context.Context, bucket string) error {
		if store := stores.Store(bucket); store != hearth.BuiltIn {
			return hearth.Errorf(hearth.KindDenied, "Bucket %s is in the store %s of the server's setting [stores]. Ask that store itself, with credentials of yours.", bucket, store)
		}
		return reach.Check(ctx, bucket)
	}
}

// self is how this program is started again, also after its file was replaced
// or, as go run does, is going to be removed.
func self() string {
	if runtime.GOOS == "linux" {
		return "/proc/self/exe"
	}
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
}

// principal names who sent a request.
func principal(ctx context.Context) string {
	p, _ := access.PrincipalFrom(ctx)
	return p.AccessKeyID
}

// await says what the server waits for before it is ready.
func (s *server) await(what string) { s.waiting.Store(&what) }

func (s *server) ready(context.Context) error {
	if what := s.waiting.Load(); what != nil {
		return hearth.Errorf(hearth.KindUnavailable, "%s", *what)
	}
	return nil
}

// whenReady refuses requests that the server cannot carry out yet. SDKs take
// the status for a reason to try again.
func (s *server) whenReady(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.ready(r.Context()); err != nil {
			awsjson.WriteError(w, &awsjson.Error{
				Type: "InternalServerException", Status: http.StatusServiceUnavailable,
				Message: "The server is not ready yet: " + err.Error() + ".",
			})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Run serves until ctx is done. Sessions go on after it, unless EndSessions
// says otherwise.
func (s *server) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if err := s.sessions.SyncLeft(ctx); err != nil {
		return err
	}
	s.serving.Go(func() { cancel(s.http.Serve()) })

	record := serverRecord{Address: s.http.URL(), Identity: s.identity, PID: os.Getpid(), Started: time.Now(), Embedded: s.options.Embedded}
	if err := record.write(s.at); err != nil {
		return hearth.Errorf(hearth.KindUnavailable, "The data directory cannot be written: %w. Make room there, or choose another one with --data or HEARTH_HOME.", err)
	}
	defer os.Remove(s.at.recordFile())

	s.log.Info("listening", "address", record.Address, "data", s.at, "version", version())
	s.serving.Go(func() { cancel(s.connect.Serve()) })
	s.tellConnect()
	s.tellUntrusted(ctx)
	if err := s.prepare(ctx); err != nil {
		return err
	}
	s.serving.Go(func() { s.abandonUploads(ctx) })
	s.waiting.Store(nil)
	s.log.Info("ready", "address", record.Address)
	<-ctx.Done()
	if err := context.Cause(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err // of serving
	}
	s.log.Info("leaving")
	return s.end()
}

// tellUntrusted warns when drivers, which trust what the machine trusts, will
// not accept the server's certificate.
func (s *server) tellUntrusted(ctx context.Context) {
	address, ok := strings.CutPrefix(s.http.URL(), "https://")
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	connection, err := new(tls.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		s.log.Warn("sessions cannot use s3://: this machine does not accept the server's certificate", "address", address, "error", err)
		return
	}
	connection.Close()
}

// prepare makes what a first start lacks, and takes up the sessions that the
// server before left.
func (s *server) prepare(ctx context.Context) error {
	if s.settings.BucketStores().Store(resultsBucket) == hearth.BuiltIn {
		if err := s.objects.CreateBucket(ctx, resultsBucket); err != nil && hearth.KindOf(err) != hearth.KindExists {
			return err
		}
	}
	if err := s.ensureWorkGroups(ctx); err != nil {
		return err
	}
	if err := s.installEngines(ctx); err != nil {
		return err
	}
	s.await("earlier sessions are taken up")
	return s.sessions.Resume(ctx)
}

// ensureWorkGroups makes the first workgroups. The primary one comes last and
// cannot be deleted: where it is, the others are gone because somebody deleted
// them.
func (s *server) ensureWorkGroups(ctx context.Context) error {
	_, err := s.sessions.WorkGroup(ctx, hearth.WorkGroupPrimary)
	if hearth.KindOf(err) != hearth.KindNotFound {
		return err
	}
	for _, group := range firstWorkGroups(s.settings.Account) {
		if err := s.sessions.EnsureWorkGroup(ctx, group); err != nil {
			return err
		}
	}
	return nil
}

// endPatience is how long sessions may take to end with their server.
const endPatience = 30 * time.Second

// end ends the sessions if that is wanted.
func (s *server) end() error {
	if !s.options.EndSessions {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), endPatience)
	defer cancel()
	return s.sessions.EndAll(ctx)
}

// leavePatience is how long open requests are waited for when the server leaves.
const leavePatience = 5 * time.Second

// Close leaves: it gives back what newServer took.
func (s *server) Close() error {
	if s.connect != nil {
		ctx, cancel := context.WithTimeout(context.Background(), leavePatience)
		defer cancel()
		s.connect.Shutdown(ctx)
	}
	if s.sessions != nil {
		s.sessions.Close() // whoever waits for a change gets an answer
	}
	if s.http != nil {
		ctx, cancel := context.WithTimeout(context.Background(), leavePatience)
		defer cancel()
		s.http.Shutdown(ctx)
		s.serving.Wait()
	}
	if s.history != nil {
		s.history.Close()
	}
	var errs []error
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	if s.objects != nil {
		errs = append(errs, s.objects.Close())
	}
	if s.lock != nil {
		s.lock.release()
	}
	return errors.Join(errs...)
}

// resultsBucket has the results of the workgroups that a first start makes.
const resultsBucket = "hearth"

// defaultRole is what workgroups show as their execution role, which Athena
// demands. Nobody takes it on: sessions run as the server's own user.
func defaultRole(account string) string { return "arn:aws:iam::" + account + ":role/hearth" }

func firstWorkGroups(account string) []hearth.WorkGroup {
	group := func(name, description, engine string) hearth.WorkGroup {
		return hearth.WorkGroup{
			Name:        name,
			Description: description,
			Enabled:     true,
			Engine:      hearth.EngineVersion{Selected: engine, Effective: engine},
			WorkGroupSettings: hearth.WorkGroupSettings{
				ExecutionRole:        defaultRole(account),
				OutputLocation:       "s3://" + resultsBucket + "/",
				EnforceConfiguration: true,
				PublishMetrics:       true,
			},
		}
	}
	return []hearth.WorkGroup{
		group(hearth.WorkGroupSpark35, "Sessions with Classifications", hearth.EngineSpark35),
		group(hearth.WorkGroupPrimary, "Sessions with SparkProperties and DPU sizes", hearth.EnginePySpark3),
	}
}
