package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"hearth"
	"hearth/internal/access"
	"hearth/internal/athena"
	"hearth/internal/config"
	"hearth/internal/sigv4"
)

// client speaks to a server as any AWS client does: signed HTTP.
type client struct {
	// locate finds the server, and finds it again when it stopped answering.
	locate func(context.Context) (address string, err error)
	keys   sigv4.Credentials
	region string

	mu      sync.Mutex
	address string
}

// newClient signs with the root key of the data directory. With --endpoint,
// and a key in the environment as AWS clients take it, it is that one.
func newClient(g *globals, settings config.Config) (*client, error) {
	c := &client{region: settings.Region}
	if g.Endpoint != "" {
		if at, err := url.Parse(g.Endpoint); err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" {
			return nil, hearth.Errorf(hearth.KindInvalid, "%q is not the address of a server. Write it as http://127.0.0.1:8650.", g.Endpoint)
		}
		c.locate = func(context.Context) (string, error) { return strings.TrimSuffix(g.Endpoint, "/"), nil }
		c.keys = sigv4.Credentials{AccessKeyID: os.Getenv("AWS_ACCESS_KEY_ID"), SecretAccessKey: os.Getenv("AWS_SECRET_ACCESS_KEY")}
		c.region = cmp.Or(os.Getenv("AWS_REGION"), os.Getenv("AWS_DEFAULT_REGION"), c.region)
		if c.keys.AccessKeyID != "" && c.keys.SecretAccessKey != "" {
			return c, nil
		}
	}
	keys, err := access.Open(settings.Data)
	if err != nil {
		return nil, err
	}
	root := keys.Root()
	c.keys = sigv4.Credentials{AccessKeyID: root.AccessKeyID, SecretAccessKey: root.SecretAccessKey}
	return c, nil
}

// ask does something with the server until a signal comes.
func (m *Main) ask(g *globals, do func(context.Context, *client) error) error {
	settings, err := g.settings()
	if err != nil {
		return err
	}
	ctx, cancel := m.interruptible()
	defer cancel()
	locate := func(ctx context.Context) (string, error) { return locateServer(ctx, home(settings.Data)) }
	if g.Endpoint == "" {
		// Before the keys are read, which would be made where there are none.
		if _, err := locate(ctx); err != nil {
			return err
		}
	}
	c, err := newClient(g, settings)
	if err != nil {
		return err
	}
	if c.locate == nil {
		c.locate = func(ctx context.Context) (string, error) { return awaitServer(ctx, locate) }
	}
	return do(ctx, c)
}

// awaitServer finds the server of a command that has found one before: one that
// is restarted comes back.
func awaitServer(ctx context.Context, locate func(context.Context) (string, error)) (string, error) {
	again := time.NewTicker(hostInterval)
	defer again.Stop()
	patience := time.Now().Add(hostPatience)
	for {
		address, err := locate(ctx)
		if hearth.KindOf(err) != hearth.KindUnavailable || time.Now().After(patience) {
			return address, err
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-again.C:
		}
	}
}

// locateServer is for commands that need a server and do not become one.
func locateServer(ctx context.Context, at home) (string, error) {
	record, waiting, err := findServer(ctx, at)
	switch {
	case errors.Is(err, errNoServer) && lockHolder(at) != "":
		return "", hearth.Errorf(hearth.KindUnavailable, "%s has %s and does not answer. %s", lockHolder(at), at, silentRemedy)
	case errors.Is(err, errNoServer):
		return "", hearth.Errorf(hearth.KindUnavailable, "No server serves %s. Start one: hearth serve.", at)
	case err != nil:
		return "", err
	case waiting != "":
		return "", hearth.Errorf(hearth.KindUnavailable, "The server (process %d) is not ready yet: %s. Try again then.", record.PID, waiting)
	}
	return record.Address, nil
}

// silentRemedy is for a server that is there and does not answer.
const silentRemedy = "Try again. If it was stopped, let it go on; or kill it, which ends no session, and start another: hearth serve."

// apiError is what the server answered instead of a result.
type apiError struct {
	Type    string
	Message string
	Status  int
}

func (e *apiError) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("the server answered %d %s", e.Status, e.Type)
	}
	return e.Message
}

// call carries out an operation of the Athena API and returns the answer as it
// came. answer may be nil.
func (c *client) call(ctx context.Context, operation string, request, answer any) (json.RawMessage, error) {
	return c.callWhile(ctx, operation, "", request, answer)
}

// callWhile is call with an answer that the server holds back for up to 20
// seconds while the state is the one named.
func (c *client) callWhile(ctx context.Context, operation, state string, request, answer any) (json.RawMessage, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	header := http.Header{
		"Content-Type": {"application/x-amz-json-1.1"},
		"X-Amz-Target": {"AmazonAthena." + operation},
	}
	if state != "" {
		header.Set(athena.HoldHeader, state)
	}
	response, err := c.post(ctx, header, body)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if answer == nil {
		return content, nil
	}
	return content, json.Unmarshal(content, answer)
}

// whenThrottled are the pauses before a call is made again that came too soon.
var whenThrottled = [...]time.Duration{
	100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond, 800 * time.Millisecond, 1600 * time.Millisecond, 3200 * time.Millisecond,
}

// post sends a call of the Athena API, and again when it came too soon, as
// AWS's clients do: a program's result should not be lost to a throttle.
func (c *client) post(ctx context.Context, header http.Header, body []byte) (*http.Response, error) {
	for attempt := 0; ; attempt++ {
		response, err := c.send(ctx, "athena", http.MethodPost, "/", header, body)
		if refusal, ok := errors.AsType[*apiError](err); !ok || refusal.Message != "Rate exceeded" || attempt == len(whenThrottled) {
			return response, err
		}
		select {
		case <-time.After(whenThrottled[attempt]):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// get reads from Hearth's own REST.
func (c *client) get(ctx context.Context, path string) (io.ReadCloser, error) {
	response, err := c.send(ctx, "athena", http.MethodGet, path, http.Header{}, nil)
	if err != nil {
		return nil, err
	}
	return response.Body, nil
}

// follow opens what a calculation writes to a stream, from offset on, and goes
// on until the calculation has ended.
func (c *client) follow(ctx context.Context, calculation string, stream hearth.Stream, offset int64) (io.ReadCloser, error) {
	return c.get(ctx, "/v1/calculations/"+url.PathEscape(calculation)+"/"+string(stream)+"?offset="+strconv.FormatInt(offset, 10))
}

// log opens the log of a session's driver from offset on: what there is, or with
// follow what comes until the driver has exited.
func (c *client) log(ctx context.Context, session string, offset int64, follow bool) (io.ReadCloser, error) {
	query := url.Values{"offset": {strconv.FormatInt(offset, 10)}, "follow": {strconv.FormatBool(follow)}}
	return c.get(ctx, "/v1/sessions/"+url.PathEscape(session)+"/log?"+query.Encode())
}

// written opens what a calculation has written to a stream until now.
func (c *client) written(ctx context.Context, calculation string, stream hearth.Stream) (io.ReadCloser, error) {
	return c.get(ctx, "/v1/calculations/"+url.PathEscape(calculation)+"/"+string(stream)+"?follow=false")
}

// result reads the result document of a calculation that has ended.
func (c *client) result(ctx context.Context, calculation string) ([]byte, error) {
	body, err := c.get(ctx, "/v1/calculations/"+url.PathEscape(calculation)+"/result")
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(body)
}

// send signs and sends a request. When the server does not answer it is looked
// for again: one that left may have a successor, and whatever is sent twice
// carries a token that makes it one.
func (c *client) send(ctx context.Context, service, method, path string, header http.Header, body []byte) (*http.Response, error) {
	gone := ""
	for attempt := 0; ; attempt++ {
		address, err := c.find(ctx, gone)
		if err != nil {
			return nil, err
		}
		request, err := http.NewRequestWithContext(ctx, method, address+path, bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		request.Header = header.Clone()
		sigv4.Sign(request, body, c.keys, c.region, service, time.Now())
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			return refused(response)
		}
		if ctx.Err() != nil {
			return nil, err
		}
		if attempt == 2 {
			if failure, ok := errors.AsType[*url.Error](err); ok {
				err = failure.Err // without the address once more
			}
			return nil, hearth.Errorf(hearth.KindUnavailable, "The server at %s does not answer: %w. Start it with hearth serve, or name another one with --endpoint.", address, err)
		}
		gone = address
	}
}

// find gives the server's address; gone is one that does not answer any more.
func (c *client) find(ctx context.Context, gone string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.address != gone {
		return c.address, nil
	}
	address, err := c.locate(ctx)
	if err != nil {
		return "", err
	}
	c.address = address
	return address, nil
}

// refused turns an answer that is not a success into an apiError.
func refused(response *http.Response) (*http.Response, error) {
	if response.StatusCode < 300 {
		return response, nil
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	failure := &apiError{Status: response.StatusCode}
	var body struct {
		Type    string `json:"__type"`
		Message string
	}
	if json.Unmarshal(content, &body) == nil {
		failure.Type, failure.Message = body.Type, body.Message
	} else {
		failure.Message = strings.TrimSpace(string(content))
	}
	return nil, failure
}
