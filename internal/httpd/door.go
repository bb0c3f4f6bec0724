package httpd

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"hearth"
	"hearth/internal/access"
	"hearth/internal/sigv4"
)

// A door is a handler with its way of signing and of refusing.
type door struct {
	handler  http.Handler
	protocol protocol
	lock     *lock // nil where the handler checks by itself who comes
	// streams is set where answers may have no end. Requests that come in
	// there are cut off when the server leaves.
	streams bool
	// quiet is set where programs ask every few seconds, and learn nothing of
	// anybody: the log tells of that only at debug.
	quiet bool
}

// A lock is how a door's clients sign, and how they are refused.
type lock struct {
	verifier *sigv4.Verifier
	keys     SessionKeys
	refuse   func(w http.ResponseWriter, r *http.Request, refusal *sigv4.Error)
	// streams is set where bodies are verified while the handler reads them.
	streams bool
}

type doors struct{ athena, rest, console, health, metrics, objects *door }

// serviceAthena is the name that clients of the Athena API, and of REST, sign
// for.
const serviceAthena = "athena"

func newDoors(c Config) doors {
	verifier := func(service string, k SessionKeys) *sigv4.Verifier {
		return &sigv4.Verifier{Service: service, Region: c.Region, Secret: secret(k), MaxBody: c.MaxBody}
	}
	apiKeys := lasting{c.Keys}
	athena := &lock{verifier: verifier(serviceAthena, apiKeys), keys: apiKeys, refuse: awsJSON{}.refuse}
	s3 := &lock{verifier: verifier(sigv4.ServiceS3, c.S3Keys), keys: c.S3Keys, refuse: s3XML{}.refuse, streams: true}
	d := doors{
		athena:  &door{handler: c.Athena, protocol: awsJSON{}, lock: athena},
		rest:    &door{handler: c.REST, protocol: awsJSON{}, lock: athena, streams: true},
		console: &door{handler: c.Console, protocol: plain{}},
		health:  &door{handler: http.HandlerFunc(c.health), protocol: plain{}, quiet: true},
		objects: &door{handler: c.Objects, protocol: s3XML{}, lock: s3},
	}
	if c.Metrics != nil {
		d.metrics = &door{handler: c.Metrics, protocol: plain{}, quiet: true}
	}
	return d
}

// lasting are keys without those of sessions.
type lasting struct{ Keys }

func (l lasting) Secret(ctx context.Context, accessKeyID, _ string) (string, error) {
	return l.Keys.Secret(ctx, accessKeyID)
}

func (l lasting) Principal(_ context.Context, accessKeyID, _, account string) (access.Principal, error) {
	return l.Keys.Principal(accessKeyID, account), nil
}

// secret gives keys in the form of a Verifier.
func secret(k SessionKeys) func(context.Context, string, string) (string, error) {
	return func(ctx context.Context, accessKeyID, token string) (string, error) {
		secret, err := k.Secret(ctx, accessKeyID, token)
		switch hearth.KindOf(err) {
		case hearth.KindNotFound:
			return "", sigv4.ErrUnknownKey
		case hearth.KindDenied:
			return "", sigv4.ErrInvalidToken
		}
		return secret, err
	}
}

// Paths that are served unsigned. No bucket can have the first name; who asks for
// a bucket of the second signs.
const (
	healthPath  = "/ok"
	metricsPath = "/metrics"
)

// of finds the door that a request is for. Paths are taken as they are: the
// key of an object may look like anything.
func (d doors) of(r *http.Request) *door {
	path := r.URL.Path
	switch {
	case path == "/" && r.Method == http.MethodPost:
		return d.athena
	case path == "/v1" || strings.HasPrefix(path, "/v1/"):
		return d.rest
	case path == "/ui" || strings.HasPrefix(path, "/ui/"):
		return d.console
	case path == healthPath:
		return d.health
	case path == metricsPath && d.metrics != nil && r.Method == http.MethodGet && r.URL.RawQuery == "" && r.Header.Get("Authorization") == "":
		return d.metrics
	}
	return d.objects
}

// health answers /ok: 200 when the server is ready, or 503 and why it is not.
func (c Config) health(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Type", "text/plain; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set(IdentityHeader, c.Identity)
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	if err := c.Ready(r.Context()); err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(w, hearth.MessageOf(err)+"\n")
		return
	}
	io.WriteString(w, "ok\n")
}

// logMismatch helps whoever debugs a client: it can be compared, line by line,
// with what the client has signed.
func logMismatch(ctx context.Context, log *slog.Logger, id string, refusal *sigv4.Error) {
	if refusal.Fault == sigv4.FaultMismatch {
		log.DebugContext(ctx, "signature does not match", "request", id,
			"canonical_request", refusal.CanonicalRequest, "string_to_sign", refusal.StringToSign)
	}
}
