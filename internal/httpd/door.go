package httpd

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"hearth"
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
}

// A lock is how a door's clients sign, and how they are refused.
type lock struct {
	verifier *sigv4.Verifier
	refuse   func(w http.ResponseWriter, r *http.Request, refusal *sigv4.Error)
	// streams is set where bodies are verified while the handler reads them.
	streams bool
}

type doors struct{ athena, rest, console, objects *door }

// serviceAthena is the name that clients of the Athena API, and of REST, sign
// for.
const serviceAthena = "athena"

func newDoors(c Config) doors {
	verifier := func(service string) *sigv4.Verifier {
		return &sigv4.Verifier{Service: service, Region: c.Region, Secret: secret(c.Keys), MaxBody: c.MaxBody}
	}
	athena := &lock{verifier: verifier(serviceAthena), refuse: awsJSON{}.refuse}
	s3 := &lock{verifier: verifier(sigv4.ServiceS3), refuse: s3XML{}.refuse, streams: true}
	return doors{
		athena:  &door{handler: c.Athena, protocol: awsJSON{}, lock: athena},
		rest:    &door{handler: c.REST, protocol: awsJSON{}, lock: athena, streams: true},
		console: &door{handler: c.Console, protocol: plain{}},
		objects: &door{handler: c.Objects, protocol: s3XML{}, lock: s3},
	}
}

// secret gives keys in the form of a Verifier.
func secret(keys Keys) func(context.Context, string) (string, error) {
	return func(ctx context.Context, accessKeyID string) (string, error) {
		secret, err := keys.Secret(ctx, accessKeyID)
		if hearth.KindOf(err) == hearth.KindNotFound {
			return "", sigv4.ErrUnknownKey
		}
		return secret, err
	}
}

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
	}
	return d.objects
}

// logMismatch helps whoever debugs a client: it can be compared, line by line,
// with what the client has signed.
func logMismatch(ctx context.Context, log *slog.Logger, id string, refusal *sigv4.Error) {
	if refusal.Fault == sigv4.FaultMismatch {
		log.DebugContext(ctx, "signature does not match", "request", id,
			"canonical_request", refusal.CanonicalRequest, "string_to_sign", refusal.StringToSign)
	}
}
