// Package athena is the front door for clients of Amazon Athena: the operations
// of its session half, with the shapes, constraints, errors and texts that
// clients know.
//
// Shapes, decoders and checks are generated from model.json, which gen/model.py
// makes from botocore's description of the API. Each operation is one method of
// api: it turns a checked request into a call of the application and the answer
// into the API's shape, and decides nothing.
package athena

//go:generate go run ./gen model.json model_gen.go

import (
	"context"
	"log/slog"
	"net/http"
	"slices"

	"hearth"
	"hearth/internal/awsjson"
)

// Sessions is what the front door needs of the application.
type Sessions interface {
	Start(ctx context.Context, principal string, r hearth.SessionRequest) (hearth.Session, error)
	Session(ctx context.Context, id string) (hearth.Session, error)
	AwaitSession(ctx context.Context, id string, while hearth.SessionState) (hearth.Session, error)
	Sessions(ctx context.Context, f hearth.SessionFilter, p hearth.Page) ([]hearth.Session, hearth.Cursor, error)
	Terminate(ctx context.Context, id string) (hearth.SessionState, error)
	Endpoint(ctx context.Context, principal, sessionID string) (text string, token hearth.ConnectToken, err error)
	SessionOf(ctx context.Context, arn string) (hearth.Session, error)

	Submit(ctx context.Context, principal string, r hearth.CalculationRequest) (hearth.Calculation, error)
	Calculation(ctx context.Context, id string) (hearth.Calculation, error)
	AwaitCalculation(ctx context.Context, id string, while hearth.CalculationState) (hearth.Calculation, error)
	Calculations(ctx context.Context, f hearth.CalculationFilter, p hearth.Page) ([]hearth.Calculation, hearth.Cursor, error)
	Cancel(ctx context.Context, id string) (hearth.CalculationState, error)

	Executors(ctx context.Context, sessionID string, state hearth.ExecutorState) ([]hearth.Executor, error)
	WorkGroup(ctx context.Context, name string) (hearth.WorkGroup, error)
	WorkGroups(ctx context.Context, p hearth.Page) ([]hearth.WorkGroup, hearth.Cursor, error)
	CreateWorkGroup(ctx context.Context, g hearth.WorkGroup, tags []hearth.Tag) error
	UpdateWorkGroup(ctx context.Context, name string, change func(*hearth.WorkGroup)) error
	DeleteWorkGroup(ctx context.Context, name string, recursive bool) error

	Tag(ctx context.Context, arn string, tags []hearth.Tag) error
	Untag(ctx context.Context, arn string, keys []string) error
	Tags(ctx context.Context, arn string) (hearth.Tags, error)

	CreateNotebook(ctx context.Context, principal string, r hearth.NotebookRequest) (id string, err error)
	ImportNotebook(ctx context.Context, principal string, r hearth.NotebookImport) (id string, err error)
	Notebook(ctx context.Context, id string) (hearth.Notebook, error)
	NotebookContent(ctx context.Context, id string) (hearth.Notebook, string, error)
	Notebooks(ctx context.Context, f hearth.NotebookFilter, p hearth.Page) ([]hearth.Notebook, hearth.Cursor, error)
	NotebookSessions(ctx context.Context, id string) ([]hearth.Session, error)
	RenameNotebook(ctx context.Context, principal string, r hearth.NotebookRename) error
	SaveNotebook(ctx context.Context, principal string, r hearth.NotebookSave) error
	DeleteNotebook(ctx context.Context, id string) error
}

// Options are what Handler needs beside the application.
type Options struct {
	// Link makes a link to a session's page, for whoever sent the request and at
	// the address where the request came to.
	Link func(ctx context.Context, sessionID string) (hearth.Link, error)
	// EndpointURL is where Spark Connect clients reach the server, for whoever sent
	// the request: https://host, with a port unless that is 443.
	EndpointURL func(ctx context.Context) string
	// SparkLink likewise makes one to Spark's own pages of a session.
	SparkLink func(ctx context.Context, sessionID string) (hearth.Link, error)
	// Principal gives the access key id of whoever sent the request, which has
	// been authenticated before it gets here.
	Principal func(ctx context.Context) string
	// Allow counts a call of an operation and reports whether it may be
	// answered. nil allows all.
	Allow func(principal, operation string) bool
	// Throttled is the type of the error that answers the others.
	Throttled string
	// MaxBody is the most bytes that a request's body may have.
	MaxBody int64
	// Log gets a line for each fault of the server.
	Log *slog.Logger
}

// Handler serves the API at the address it is mounted at.
func Handler(sessions Sessions, options Options) http.Handler {
	a := &api{sessions: sessions, link: options.Link, sparkLink: options.SparkLink, endpointURL: options.EndpointURL, principal: options.Principal}
	var before func(context.Context, string) *awsjson.Error
	if options.Allow != nil {
		before = func(ctx context.Context, operation string) *awsjson.Error {
			if options.Allow(options.Principal(ctx), operation) {
				return nil
			}
			return rateExceeded(options.Throttled)
		}
	}
	operations := a.operations()
	for _, name := range unserved {
		operations = append(operations, awsjson.Refuse(name, invalid(name+" is not served by Hearth.")))
	}
	return holding(awsjson.Service{
		Target:     targetPrefix,
		Operations: operations,
		Invalid:    invalid,
		Translate:  translate,
		Before:     before,
		MaxBody:    options.MaxBody,
		Log:        options.Log,
	}.Handler())
}

// IsPoll reports whether an X-Amz-Target names an operation that clients call
// again and again until what they wait for has come.
func IsPoll(target string) bool {
	return target == targetPrefix+".GetSessionStatus" || target == targetPrefix+".GetCalculationExecutionStatus"
}

// Serves reports whether an operation of that name is served.
func Serves(operation string) bool {
	return slices.ContainsFunc((&api{}).operations(), func(o awsjson.Operation) bool { return o.Name == operation })
}

type api struct {
	sessions  Sessions
	link      func(ctx context.Context, sessionID string) (hearth.Link, error)
	sparkLink func(ctx context.Context, sessionID string) (hearth.Link, error)
	principal func(context.Context) string

	endpointURL func(context.Context) string

	sessionAnswers     ready[sessionFacts]
	calculationAnswers ready[calculationFacts]
}

// value gives what a member has, or the zero value when it is absent.
func value[T any](member *T) T {
	if member == nil {
		var zero T
		return zero
	}
	return *member
}

// given makes a member of a value; the zero value makes it absent.
func given[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}
