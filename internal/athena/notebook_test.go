package athena_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/athena"
	"github.com/aws/aws-sdk-go-v2/service/athena/types"

	"hearth"
	"hearth/internal/athena"
	"hearth/internal/objects"
	"hearth/internal/sessions"
	"hearth/internal/sqlite"
)

// real is the application on a real store, behind the front door.
type real struct {
	*sdk.Client
	t       *testing.T
	service *sessions.Service
	objects *objects.Store
	server  *httptest.Server
}

func newReal(t *testing.T) *real {
	t.Helper()
	store, err := sqlite.Open(filepath.Join(t.TempDir(), "hearth.db"))
	if err != nil {
		t.Fatal(err)
	}
	bucket, err := objects.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := bucket.CreateBucket(t.Context(), "hearth"); err != nil {
		t.Fatal(err)
	}
	service := sessions.New(sessions.Config{Store: store, Drivers: &processless{ready: true}, Objects: bucket})
	server := httptest.NewServer(athena.Handler(service, athena.Options{
		MaxBody:   32 << 20,
		Principal: func(context.Context) string { return caller },
		Log:       slog.New(slog.NewTextHandler(new(bytes.Buffer), nil)),
	}))
	t.Cleanup(func() {
		server.Close()
		service.Close()
		if err := errors.Join(store.Close(), bucket.Close()); err != nil {
			t.Error(err)
		}
	})
	engine := hearth.EngineVersion{Selected: hearth.EnginePySpark3, Effective: hearth.EnginePySpark3}
	if err := service.EnsureWorkGroup(t.Context(), hearth.WorkGroup{
		Name: "primary", Enabled: true, Engine: engine,
		WorkGroupSettings: hearth.WorkGroupSettings{OutputLocation: "s3://hearth", ExecutionRole: "arn:aws:iam::123456789012:role/hearth"},
	}); err != nil {
		t.Fatal(err)
	}
	client := sdk.New(sdk.Options{
		BaseEndpoint: aws.String(server.URL), Region: "us-east-1", RetryMaxAttempts: 1,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}, nil
		}),
	})
	return &real{Client: client, t: t, service: service, objects: bucket, server: server}
}

func (r *real) imported(name string) *string {
	r.t.Helper()
	out, err := r.ImportNotebook(r.t.Context(), &sdk.ImportNotebookInput{
		WorkGroup: aws.String("primary"), Name: &name, Type: types.NotebookTypeIpynb, Payload: aws.String(hearth.EmptyIPYNB),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return out.NotebookId
}

func (r *real) start(notebook *string) (*sdk.StartSessionOutput, error) {
	return r.StartSession(r.t.Context(), &sdk.StartSessionInput{
		WorkGroup: aws.String("primary"), NotebookVersion: aws.String("Athena notebook version 1"),
		EngineConfiguration: &types.EngineConfiguration{AdditionalConfigs: map[string]string{"NotebookId": *notebook}},
	})
}

func (r *real) end(session *string) {
	r.t.Helper()
	if _, err := r.TerminateSession(r.t.Context(), &sdk.TerminateSessionInput{SessionId: session}); err != nil {
		r.t.Fatal(err)
	}
	for state := hearth.SessionState(""); !state.Ended(); {
		s, err := r.service.AwaitSession(r.t.Context(), *session, state)
		if err != nil {
			r.t.Fatal(err)
		}
		state = s.State
	}
}

// isInvalid checks for InvalidRequestException with a text.
func isInvalid(t *testing.T, err error, text string) {
	t.Helper()
	var refusal *types.InvalidRequestException
	if !errors.As(err, &refusal) || !strings.Contains(refusal.ErrorMessage(), text) || aws.ToString(refusal.AthenaErrorCode) == "" {
		t.Errorf("got %v, want InvalidRequestException with %q", err, text)
	}
}

func TestNotebooks_Life(t *testing.T) {
	r := newReal(t)
	ctx := t.Context()
	group := aws.String("primary")
	before := time.Now()

	created, err := r.CreateNotebook(ctx, &sdk.CreateNotebookInput{WorkGroup: group, Name: aws.String("taxi")})
	if err != nil {
		t.Fatal(err)
	}
	id := created.NotebookId
	exported, err := r.ExportNotebook(ctx, &sdk.ExportNotebookInput{NotebookId: id})
	if err != nil {
		t.Fatal(err)
	}
	got := exported.NotebookMetadata
	if aws.ToString(got.NotebookId) != *id || aws.ToString(got.Name) != "taxi" || aws.ToString(got.WorkGroup) != "primary" || got.Type != types.NotebookTypeIpynb {
		t.Errorf("metadata %+v", got)
	}
	if at := aws.ToTime(got.CreationTime); at.Before(before.Truncate(time.Millisecond)) || !at.Equal(aws.ToTime(got.LastModifiedTime)) {
		t.Errorf("created at %v, modified at %v", at, got.LastModifiedTime)
	}
	if _, err := hearth.ParseIPYNB([]byte(aws.ToString(exported.Payload))); err != nil {
		t.Error(err)
	}

	content := strings.Replace(hearth.EmptyIPYNB, `"cells": []`, `"cells": [{"cell_type":"code","metadata":{},"source":"1","execution_count":1,"outputs":[{"output_type":"stream","name":"stdout","text":"é <1>\n"}]}]`, 1)
	if _, err := r.UpdateNotebook(ctx, &sdk.UpdateNotebookInput{NotebookId: id, Type: types.NotebookTypeIpynb, Payload: &content}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.UpdateNotebookMetadata(ctx, &sdk.UpdateNotebookMetadataInput{NotebookId: id, Name: aws.String("taxi trips")}); err != nil {
		t.Fatal(err)
	}
	if exported, err = r.ExportNotebook(ctx, &sdk.ExportNotebookInput{NotebookId: id}); err != nil || aws.ToString(exported.Payload) != content {
		t.Errorf("exported %+v, %v", exported, err)
	}
	metadata, err := r.GetNotebookMetadata(ctx, &sdk.GetNotebookMetadataInput{NotebookId: id})
	if err != nil || aws.ToString(metadata.NotebookMetadata.Name) != "taxi trips" {
		t.Errorf("metadata %+v, %v", metadata, err)
	}
	if _, err := r.DeleteNotebook(ctx, &sdk.DeleteNotebookInput{NotebookId: id}); err != nil {
		t.Fatal(err)
	}
	_, err = r.GetNotebookMetadata(ctx, &sdk.GetNotebookMetadataInput{NotebookId: id})
	isInvalid(t, err, "Notebook "+*id+" is not found.")
}

func TestNotebooks_Import(t *testing.T) {
	r := newReal(t)
	request := func(change func(*sdk.ImportNotebookInput)) error {
		in := &sdk.ImportNotebookInput{WorkGroup: aws.String("primary"), Name: aws.String("n"), Type: types.NotebookTypeIpynb}
		change(in)
		_, err := r.ImportNotebook(t.Context(), in)
		return err
	}
	payload := aws.String(hearth.EmptyIPYNB)
	for _, test := range []struct {
		name, text string
		change     func(*sdk.ImportNotebookInput)
	}{
		{"nothing to import", "Payload", func(*sdk.ImportNotebookInput) {}},
		{"two things to import", "Payload", func(in *sdk.ImportNotebookInput) {
			in.Payload, in.NotebookS3LocationUri = payload, aws.String("s3://bucket/n.ipynb")
		}},
		{"no notebook", "ipynb", func(in *sdk.ImportNotebookInput) { in.Payload = aws.String("{}") }},
		{"another type", "enum value set: [IPYNB]", func(in *sdk.ImportNotebookInput) { in.Payload, in.Type = payload, "PDF" }},
		{"a name with a slash", "at 'name' failed", func(in *sdk.ImportNotebookInput) { in.Payload, in.Name = payload, aws.String("a/b") }},
		{"a token that is no UUID", "at 'clientRequestToken' failed", func(in *sdk.ImportNotebookInput) {
			in.Payload, in.ClientRequestToken = payload, aws.String(strings.ToUpper(notebookID))
		}},
		{"a workgroup that is not there", "WorkGroup is not found", func(in *sdk.ImportNotebookInput) { in.Payload, in.WorkGroup = payload, aws.String("absent") }},
		{"an object that is not there", "s3://hearth/absent", func(in *sdk.ImportNotebookInput) { in.NotebookS3LocationUri = aws.String("s3://hearth/absent") }},
		{"an address that is no s3:// location", "s3://", func(in *sdk.ImportNotebookInput) { in.NotebookS3LocationUri = aws.String("https://bucket.example/n") }},
	} {
		t.Run(test.name, func(t *testing.T) { isInvalid(t, request(test.change), test.text) })
	}
	t.Run("a name that is taken", func(t *testing.T) {
		r.imported("taken")
		isInvalid(t, request(func(in *sdk.ImportNotebookInput) { in.Payload, in.Name = payload, aws.String("taken") }), "taken")
	})
	t.Run("an object", func(t *testing.T) {
		if err := r.objects.Put(t.Context(), hearth.Object{URI: "s3://hearth/a/n.ipynb", ContentType: "application/json"}, strings.NewReader(hearth.EmptyIPYNB)); err != nil {
			t.Fatal(err)
		}
		if err := request(func(in *sdk.ImportNotebookInput) { in.NotebookS3LocationUri = aws.String("s3://hearth/a/n.ipynb") }); err != nil {
			t.Error(err)
		}
	})
	t.Run("the largest there may be, with every character escaped", func(t *testing.T) {
		frame := `{"cells":[],"metadata":{"x":""},"nbformat":4,"nbformat_minor":5}`
		large := strings.Replace(frame, `""`, `"`+strings.Repeat(`\n`, (hearth.MaxNotebookSize-len(frame))/2)+`"`, 1)
		if err := request(func(in *sdk.ImportNotebookInput) { in.Payload, in.Name = &large, aws.String("large") }); err != nil {
			t.Error(err)
		}
		larger := large + "  "
		isInvalid(t, request(func(in *sdk.ImportNotebookInput) { in.Payload, in.Name = &larger, aws.String("larger") }), "less than or equal to 10485760")
	})
	t.Run("the same token again", func(t *testing.T) {
		in := &sdk.ImportNotebookInput{
			WorkGroup: aws.String("primary"), Name: aws.String("once"), Type: types.NotebookTypeIpynb, Payload: payload,
			ClientRequestToken: aws.String("0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"),
		}
		first, err := r.ImportNotebook(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := r.ImportNotebook(t.Context(), in); err != nil || *again.NotebookId != *first.NotebookId {
			t.Errorf("%+v, %v", again, err)
		}
		in.Name = aws.String("twice")
		_, err = r.ImportNotebook(t.Context(), in)
		var refusal *types.InvalidRequestException
		if !errors.As(err, &refusal) || aws.ToString(refusal.AthenaErrorCode) != "IDEMPOTENT_PARAMETER_MISMATCH" {
			t.Error(err)
		}
	})
}

func TestNotebooks_List(t *testing.T) {
	r := newReal(t)
	for _, name := range []string{"taxi one", "weather", "taxi two"} {
		r.imported(name)
	}
	list := func(t *testing.T, in *sdk.ListNotebookMetadataInput) (names []string) {
		t.Helper()
		in.WorkGroup = aws.String("primary")
		for {
			out, err := r.ListNotebookMetadata(t.Context(), in)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range out.NotebookMetadataList {
				names = append(names, *n.Name)
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				return names
			}
		}
	}
	t.Run("newest first, page by page", func(t *testing.T) {
		if got := strings.Join(list(t, &sdk.ListNotebookMetadataInput{MaxResults: aws.Int32(1)}), ", "); got != "taxi two, weather, taxi one" {
			t.Error(got)
		}
	})
	t.Run("by a part of the name", func(t *testing.T) {
		if got := strings.Join(list(t, &sdk.ListNotebookMetadataInput{Filters: &types.FilterDefinition{Name: aws.String("taxi")}}), ", "); got != "taxi two, taxi one" {
			t.Error(got)
		}
	})
	t.Run("with a token of its own only", func(t *testing.T) {
		_, err := r.ListNotebookMetadata(t.Context(), &sdk.ListNotebookMetadataInput{WorkGroup: aws.String("primary"), NextToken: aws.String("x")})
		isInvalid(t, err, "The nextPageToken is malformed: x")
	})
}

func TestNotebooks_Session(t *testing.T) {
	r := newReal(t)
	ctx := t.Context()
	id := r.imported("taxi")
	session, err := r.start(id)
	if err != nil {
		t.Fatal(err)
	}
	save := func(by *string) error {
		_, err := r.UpdateNotebook(ctx, &sdk.UpdateNotebookInput{NotebookId: id, Type: types.NotebookTypeIpynb, Payload: aws.String(hearth.EmptyIPYNB), SessionId: by})
		return err
	}
	rename := func() error {
		_, err := r.UpdateNotebookMetadata(ctx, &sdk.UpdateNotebookMetadataInput{NotebookId: id, Name: aws.String("new")})
		return err
	}
	remove := func() error {
		_, err := r.DeleteNotebook(ctx, &sdk.DeleteNotebookInput{NotebookId: id})
		return err
	}
	active := func(t *testing.T) []types.NotebookSessionSummary {
		t.Helper()
		out, err := r.ListNotebookSessions(ctx, &sdk.ListNotebookSessionsInput{NotebookId: id})
		if err != nil {
			t.Fatal(err)
		}
		return out.NotebookSessionsList
	}

	t.Run("is listed with the notebook", func(t *testing.T) {
		if got := active(t); len(got) != 1 || *got[0].SessionId != *session.SessionId || got[0].CreationTime == nil {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("is the only one", func(t *testing.T) {
		_, err := r.start(id)
		var refusal *types.SessionAlreadyExistsException
		if !errors.As(err, &refusal) || !strings.Contains(refusal.ErrorMessage(), *session.SessionId) {
			t.Error(err)
		}
	})
	t.Run("holds the notebook", func(t *testing.T) {
		isInvalid(t, rename(), *session.SessionId)
		isInvalid(t, remove(), *session.SessionId)
	})
	t.Run("has to be named by a save", func(t *testing.T) {
		isInvalid(t, save(nil), *session.SessionId)
		isInvalid(t, save(aws.String(sessionID)), *session.SessionId)
		if err := save(session.SessionId); err != nil {
			t.Error(err)
		}
	})
	r.end(session.SessionId)
	t.Run("sets the notebook free with its end", func(t *testing.T) {
		if got := active(t); len(got) != 0 {
			t.Errorf("got %+v", got)
		}
		isInvalid(t, save(aws.String(sessionID)), sessionID)
		for name, do := range map[string]func() error{"save": func() error { return save(nil) }, "late save": func() error { return save(session.SessionId) }, "rename": rename} {
			if err := do(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		again, err := r.start(id)
		if err != nil {
			t.Fatal(err)
		}
		r.end(again.SessionId)
		if err := remove(); err != nil {
			t.Error(err)
		}
	})
	t.Run("needs a notebook that is there, and the version", func(t *testing.T) {
		_, err := r.start(aws.String(notebookID))
		isInvalid(t, err, "Notebook "+notebookID+" is not found.")
		_, err = r.StartSession(ctx, &sdk.StartSessionInput{
			WorkGroup:           aws.String("primary"),
			EngineConfiguration: &types.EngineConfiguration{AdditionalConfigs: map[string]string{"NotebookId": notebookID}},
		})
		isInvalid(t, err, "NotebookVersion is required when NotebookId is provided.")
	})
}

// Operations that answer nothing have an empty body, as Athena's.
func TestNotebooks_EmptyAnswers(t *testing.T) {
	h := handler(full(), new(bytes.Buffer))
	for operation, body := range map[string]string{
		"UpdateNotebook":         `{"NotebookId":"` + notebookID + `","Payload":"{}","Type":"IPYNB"}`,
		"UpdateNotebookMetadata": `{"NotebookId":"` + notebookID + `","Name":"n"}`,
		"DeleteNotebook":         `{"NotebookId":"` + notebookID + `"}`,
	} {
		t.Run(operation, func(t *testing.T) {
			w := call(h, operation, body)
			if w.Code != http.StatusOK || w.Body.Len() != 0 || w.Header().Get("Content-Length") != "0" {
				t.Errorf("got %d %q %v", w.Code, w.Body, w.Header())
			}
		})
	}
}
