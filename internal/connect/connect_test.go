package connect

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
)

func TestCalls(t *testing.T) {
	t.Run("one message, one answer", func(t *testing.T) {
		w := newWorld(t, sockets{}, echo)
		got, a := w.unary("AnalyzePlan", header(), "question")
		a.ended("0")
		if !slices.Equal(got, []string{"question"}) {
			t.Errorf("answers %q", got)
		}
	})
	t.Run("answers come as they are sent", func(t *testing.T) {
		next := make(chan struct{})
		w := newWorld(t, sockets{}, func(w http.ResponseWriter, r *http.Request) {
			answering(w)
			for i := range 3 {
				send(w, fmt.Sprint(i))
				<-next
			}
			end(w, "0", "")
		})
		a := w.begin(t.Context(), "ExecutePlan", header(), strings.NewReader(frames("plan")))
		for i := range 3 {
			if got, err := a.receive(); got != fmt.Sprint(i) || err != nil {
				t.Errorf("answer %q, %v", got, err)
			}
			next <- struct{}{}
		}
		a.ended("0")
	})
	t.Run("messages go as they come, in both directions", func(t *testing.T) {
		w := newWorld(t, sockets{}, echo)
		upload, body := io.Pipe()
		go func() { io.WriteString(body, frames("first")) }()
		a := w.begin(t.Context(), "AddArtifacts", header(), upload)
		for _, text := range []string{"first", "second", ""} {
			if got, err := a.receive(); got != text || err != nil {
				t.Errorf("answer %q, %v; want %q", got, err, text)
			}
			switch text {
			case "first":
				io.WriteString(body, frames("second"))
			case "second":
				io.WriteString(body, frames(""))
			}
		}
		body.Close()
		a.ended("0")
	})
	t.Run("the end of the messages comes before that of the answers", func(t *testing.T) {
		w := newWorld(t, sockets{}, func(w http.ResponseWriter, r *http.Request) {
			answering(w)
			http.NewResponseController(w).Flush()
			text, _ := io.ReadAll(r.Body) // to the end
			send(w, fmt.Sprint(len(text)))
			end(w, "0", "")
		})
		upload, body := io.Pipe()
		a := w.begin(t.Context(), "AddArtifacts", header(), upload)
		io.WriteString(body, frames("ab"))
		io.WriteString(body, frames("c"))
		body.Close()
		if got, err := a.receive(); got != "13" || err != nil {
			t.Errorf("answer %q, %v", got, err)
		}
		a.ended("0")
	})
	t.Run("a status comes with all that belongs to it", func(t *testing.T) {
		for name, first := range map[string]bool{"after messages": true, "alone": false} {
			t.Run(name, func(t *testing.T) {
				w := newWorld(t, sockets{}, func(w http.ResponseWriter, r *http.Request) {
					answering(w)
					if first {
						send(w, "row")
						w.Header().Set(http.TrailerPrefix+"Grpc-Status-Details-Bin", "ZGV0YWlscw")
						w.Header().Set(http.TrailerPrefix+"Other", "1")
						end(w, "13", "%5BDIVIDE%5D é")
						return
					}
					w.Header().Set(statusKey, "13")
					w.Header().Set(messageKey, "%5BDIVIDE%5D é")
					w.Header().Set("Grpc-Status-Details-Bin", "ZGV0YWlscw")
					w.Header().Set("Other", "1")
				})
				for range 20 { // however soon its beginning is sent
					a := w.begin(t.Context(), "ExecutePlan", header(), strings.NewReader(frames("plan")))
					a.ended("13", "[DIVIDE] ")
					if a.Header.Get(statusKey) != "" {
						t.Error("the status is among what comes first")
					}
					if a.Trailer.Get("Grpc-Status-Details-Bin") != "ZGV0YWlscw" {
						t.Errorf("trailers %v", a.Trailer)
					}
					if a.Header.Get("Other")+a.Trailer.Get("Other") != "1" {
						t.Errorf("other metadata %v, %v", a.Header, a.Trailer)
					}
				}
			})
		}
	})
	t.Run("who calls off a call calls it off in the driver", func(t *testing.T) {
		left := make(chan struct{})
		w := newWorld(t, sockets{}, func(w http.ResponseWriter, r *http.Request) {
			answering(w)
			send(w, "row")
			<-r.Context().Done()
			close(left)
		})
		ctx, cancel := context.WithCancel(t.Context())
		a := w.begin(ctx, "ExecutePlan", header(), strings.NewReader(frames("plan")))
		if _, err := a.receive(); err != nil {
			t.Fatal(err)
		}
		cancel()
		<-left
	})
	t.Run("a driver may answer before it was told everything", func(t *testing.T) {
		w := newWorld(t, sockets{}, func(w http.ResponseWriter, r *http.Request) {
			answering(w)
			receive(r.Body)
			send(w, "enough")
			end(w, "0", "")
		})
		upload, body := io.Pipe()
		defer body.Close()
		go io.WriteString(body, frames("first"))
		a := w.begin(t.Context(), "AddArtifacts", header(), upload)
		if got, err := a.receive(); got != "enough" || err != nil {
			t.Errorf("answer %q, %v", got, err)
		}
		a.ended("0")
	})
}

// A driver is told what is for it, and nothing of what was for the door.
func TestMetadata(t *testing.T) {
	got := make(chan *http.Request, 1)
	w := newWorld(t, sockets{}, func(w http.ResponseWriter, r *http.Request) {
		got <- r.Clone(context.Background())
		echo(w, r)
	})
	_, a := w.unary("ExecutePlan", header("X-Aws-Proxy-Port", "15002", "X-Aws-Force-H2", "true", "Authorization", "Bearer other",
		hearth.ConnectSecretKey, "guess", "User-Agent", "_SPARK_CONNECT_PYTHON", "X-Forwarded-For", "1.2.3.4", "Grpc-Timeout", "1H", "Own-Bin", "AQI"), "plan")
	a.ended("0")
	r := <-got
	for key, want := range map[string]string{
		hearth.ConnectSecretKey: secret, "User-Agent": "_SPARK_CONNECT_PYTHON", "Te": "trailers",
		"Content-Type": mediaType, "Grpc-Timeout": "1H", "Own-Bin": "AQI",
	} {
		if values := r.Header.Values(key); len(values) != 1 || values[0] != want {
			t.Errorf("%s is %q", key, values)
		}
	}
	for key := range r.Header {
		if strings.HasPrefix(key, "X-Aws-") || key == "Authorization" || key == "Accept-Encoding" || key == "X-Forwarded-For" {
			t.Errorf("%s is %q", key, r.Header[key])
		}
	}
	if r.URL.Path != service+"ExecutePlan" || r.ProtoMajor != 2 || r.Host == w.address {
		t.Errorf("it was called %s at %s in %s", r.URL.Path, r.Host, r.Proto)
	}
}

// A driver takes all metadata that the door does.
func TestMetadata_Most(t *testing.T) {
	w := newWorld(t, sockets{}, echo)
	h := header("User-Agent", "x", "Own", "x")
	most := maxMetadata - size(h) - len(service+"ExecutePlan") + 1
	for own, code := range map[int]string{most: "0", most + 1: "8"} {
		h.Set("Own", strings.Repeat("x", own))
		plan := io.MultiReader(strings.NewReader(frames("plan"))) // whose length nobody knows
		w.begin(t.Context(), "ExecutePlan", h, plan).ended(code)
	}
}

// Tokens come in two places.
func TestTokens(t *testing.T) {
	w := newWorld(t, sockets{}, echo)
	for name, c := range map[string]struct {
		header http.Header
		good   bool
	}{
		"as Athena's clients send it":      {header(), true},
		"as Spark's own do":                {header(tokenKey, "", "Authorization", "Bearer "+token), true},
		"with bearer in another case":      {header(tokenKey, "", "Authorization", "bearer "+token), true},
		"beside another authorization":     {header("Authorization", "Basic x"), true},
		"beside another token":             {header(tokenKey, "other", "Authorization", "Bearer "+token), false},
		"of no known kind":                 {header(tokenKey, "", "Authorization", "Basic "+token), false},
		"without its kind":                 {header(tokenKey, "", "Authorization", token), false},
		"twice":                            {http.Header{"Content-Type": {mediaType}, tokenKey: {token, token}}, false},
		"empty":                            {http.Header{"Content-Type": {mediaType}, tokenKey: {""}, "Authorization": {"Bearer " + token}}, false},
		"as the driver's secret":           {header(tokenKey, "", hearth.ConnectSecretKey, secret), false},
		"as the driver's secret elsewhere": {header(tokenKey, secret), false},
	} {
		t.Run(name, func(t *testing.T) {
			w := *w
			w.t = t
			_, a := w.unary("Config", c.header, "x")
			if c.good {
				a.ended("0")
			} else {
				a.refused("7", "token")
			}
		})
	}
}

// What is wrong with a call is told in gRPC's way, and no driver hears of it.
func TestRefusals(t *testing.T) {
	heard := make(chan string, 100)
	w := newWorld(t, sockets{}, func(w http.ResponseWriter, r *http.Request) {
		heard <- r.URL.Path
		echo(w, r)
	})
	w.app.tokens["of-another"] = otherID
	w.app.refusals["of-an-ended"] = hearth.Errorf(hearth.KindDenied, "Session %s is in the STOPPED state, because it is TERMINATED: %s.", otherID, hearth.ReasonTerminated)
	w.app.refusals["broken"] = hearth.Internal(fmt.Errorf("disk"), "read")
	w.app.refusals["percent"] = hearth.Errorf(hearth.KindDenied, "100 %% é\n")
	huge := strings.Repeat("x", maxMetadata)
	for name, c := range map[string]struct {
		method string
		header http.Header
		code   string
		words  []string
	}{
		"no token":                    {"ExecutePlan", header(tokenKey, ""), "7", []string{"GetSessionEndpoint"}},
		"a truncated token":           {"ExecutePlan", header(tokenKey, token[1:]), "7", nil},
		"a token with a byte more":    {"ExecutePlan", header(tokenKey, token+"x"), "7", nil},
		"a session that cannot":       {"ExecutePlan", header(tokenKey, "of-another"), "14", []string{otherID}},
		"a session that ended":        {"ExecutePlan", header(tokenKey, "of-an-ended"), "7", []string{otherID, "STOPPED state", hearth.ReasonTerminated}},
		"a fault of ours":             {"ExecutePlan", header(tokenKey, "broken"), "13", []string{"Internal error."}},
		"a message of all characters": {"ExecutePlan", header(tokenKey, "percent"), "7", []string{"100 % é\n"}},
		"another service":             {"/grpc.health.v1.Health/Check", header(), "12", []string{"spark.connect.SparkConnectService"}},
		"reflection":                  {"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", header(), "12", nil},
		"no method":                   {service, header(), "12", nil},
		"a method below another":      {service + "ExecutePlan/x", header(), "12", nil},
		"a way out of the service":    {service + "../../x", header(), "12", nil},
		"the root":                    {"/", header(), "12", nil},
		"huge metadata":               {"ExecutePlan", header("Own", huge), "8", []string{"metadata"}},
		"a method of a huge name":     {strings.Repeat("x", maxMetadata), header(), "8", nil},
		"huge metadata and no token":  {"ExecutePlan", header("Own", huge, tokenKey, ""), "8", nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := *w
			w.t = t
			a := w.begin(t.Context(), c.method, c.header, strings.NewReader(frames("plan")))
			a.refused(c.code, c.words...)
		})
	}
	t.Run("a token whose owner's key is gone", func(t *testing.T) {
		w.app.set(func() { w.app.unknown = true })
		defer w.app.set(func() { w.app.unknown = false })
		_, a := w.unary("ExecutePlan", header(), "plan")
		a.refused("7", sessionID, "access key")
	})
	t.Run("more metadata than the connection takes", func(t *testing.T) {
		a, err := w.try(t.Context(), "ExecutePlan", header("Own", strings.Repeat("x", 4*maxHeader)), strings.NewReader(frames("plan")))
		if err == nil && a.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("HTTP status %d", a.StatusCode)
		}
	})
	t.Run("HTTP/1.1", func(t *testing.T) {
		w := *w
		w.t = t
		w.client = w.newClient(func(p *http.Protocols) { p.SetHTTP1(true) })
		a := w.begin(t.Context(), "ExecutePlan", header(), strings.NewReader(frames("plan")))
		if text, _ := io.ReadAll(a.Body); a.StatusCode != http.StatusHTTPVersionNotSupported || !strings.Contains(string(text), "HTTP/2") {
			t.Errorf("HTTP status %d: %s", a.StatusCode, text)
		}
	})
	t.Run("what is not gRPC", func(t *testing.T) {
		for _, media := range []string{"", "text/plain", "application/grpcx", "application/json"} {
			a := w.begin(t.Context(), "ExecutePlan", header("Content-Type", media), strings.NewReader("x"))
			if a.StatusCode != http.StatusUnsupportedMediaType {
				t.Errorf("%q: HTTP status %d", media, a.StatusCode)
			}
		}
	})
	t.Run("no TLS", func(t *testing.T) {
		connection, err := net.Dial("tcp", w.address)
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		io.WriteString(connection, "POST "+service+"Config HTTP/1.1\r\n\r\n")
		if text, _ := io.ReadAll(connection); !strings.HasPrefix(string(text), "HTTP/1.0 400") {
			t.Errorf("the answer is %q", text)
		}
	})
	t.Run("an old TLS", func(t *testing.T) {
		connection, err := tls.Dial("tcp", w.address, &tls.Config{RootCAs: w.roots, MaxVersion: tls.VersionTLS11})
		if err == nil {
			connection.Close()
			t.Error("it was taken")
		}
	})
	if len(heard) > 0 {
		t.Errorf("the driver was called %s", <-heard)
	}
	for _, private := range []string{token, secret, "of-another"} {
		if strings.Contains(w.log.String(), private) {
			t.Errorf("the log has %s", private)
		}
	}
}

func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := make(chan struct{})
		w := newWorld(t, new(pipes), func(w http.ResponseWriter, r *http.Request) {
			if !strings.Contains(r.URL.Path, "Execute") {
				echo(w, r)
				return
			}
			if r.Header.Get("Not-There") != "" {
				answering(w)
				w.Header().Set(statusKey, "13")
				return
			}
			answering(w)
			send(w, "row")
			<-next
			send(w, "last")
			end(w, "0", "")
		})
		a := w.begin(t.Context(), "ExecutePlan", header(), strings.NewReader(frames("plan")))
		row, err := a.receive()
		if row != "row" || err != nil {
			t.Errorf("answer %q, %v", row, err)
		}
		w.app.set(func() { w.app.expired = true })
		refused := func(methods ...string) {
			t.Helper()
			for _, method := range methods {
				_, a := w.unary(method, header(), "plan")
				a.refused("7", sessionID, "expired")
			}
		}
		accepted := func(methods ...string) {
			t.Helper()
			for _, method := range methods {
				_, a := w.unary(method, header(), "plan")
				a.ended("0")
			}
		}
		begin := []string{"ExecutePlan", "AnalyzePlan", "AddArtifacts", "ArtifactStatus", "CloneSession", "NewerThanWe"}
		beside := []string{"Config", "FetchErrorDetails", "Interrupt", "ReleaseSession"}

		// What has begun goes on, and what belongs to it is accepted for a while.
		time.Sleep(30 * time.Hour)
		refused(begin...)
		accepted(beside...)
		next <- struct{}{}
		if last, err := a.receive(); last != "last" || err != nil {
			t.Errorf("answer %q, %v", last, err)
		}
		a.ended("0")
		time.Sleep(linger - time.Second)
		accepted(beside...)
		time.Sleep(2 * time.Second)
		refused(begin...)
		refused(beside...)

		// It can be gone back to, which is no good when it is not there.
		gone := w.begin(t.Context(), "ReattachExecute", header("Not-There", "1"), strings.NewReader(frames("id")))
		gone.ended("13")
		refused(beside...)
		for _, method := range []string{"ReattachExecute", "ReleaseExecute"} {
			a := w.begin(t.Context(), method, header(), strings.NewReader(frames("id")))
			next <- struct{}{}
			a.ended("0")
		}
		accepted(beside...)
		time.Sleep(linger + time.Second)
		refused(beside...)
	})
}

func TestStarting(t *testing.T) {
	w := newWorld(t, sockets{}, echo)
	w.app.starting = make(chan struct{})
	t.Run("who does not wait leaves", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			_, err := w.try(ctx, "Config", header(), strings.NewReader(frames("x")))
			done <- err
		}()
		cancel()
		if err := <-done; err == nil {
			t.Error("there was an answer")
		}
	})
	t.Run("who waits is answered when the driver is there", func(t *testing.T) {
		go close(w.app.starting)
		got, a := w.unary("Config", header(), "x")
		a.ended("0")
		if !slices.Equal(got, []string{"x"}) {
			t.Errorf("answers %q", got)
		}
	})
}

func TestLostDriver(t *testing.T) {
	t.Run("that is not there", func(t *testing.T) {
		w := newWorld(t, sockets{}, echo)
		l := sockets{}.listen(t)
		w.app.endpoints[sessionID] = hearth.Endpoint{Address: l.Addr().String(), Secret: secret}
		l.Close()
		_, a := w.unary("ExecutePlan", header(), "plan")
		a.refused("14", sessionID)
	})
	t.Run("that is something else", func(t *testing.T) {
		w := newWorld(t, sockets{}, func(w http.ResponseWriter, r *http.Request) { http.Error(w, "who?", http.StatusTeapot) })
		_, a := w.unary("ExecutePlan", header(), "plan")
		a.refused("14", sessionID)
	})
	t.Run("that dies before it answers", func(t *testing.T) {
		w := newWorld(t, sockets{}, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		_, a := w.unary("ExecutePlan", header(), "plan")
		a.refused("14", sessionID)
	})
	t.Run("that dies in the middle", func(t *testing.T) {
		w := newWorld(t, sockets{}, func(w http.ResponseWriter, r *http.Request) {
			answering(w)
			send(w, "row")
			io.WriteString(w, frames("half")[:6])
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		})
		a := w.begin(t.Context(), "ExecutePlan", header(), strings.NewReader(frames("plan")))
		if got, err := a.receive(); got != "row" || err != nil {
			t.Errorf("answer %q, %v", got, err)
		}
		a.ended("14", sessionID)
		if !strings.Contains(w.log.String(), "cause=") {
			t.Errorf("the log does not say why:\n%s", w.log)
		}
	})
}

func TestShutdown(t *testing.T) {
	w := newWorld(t, sockets{}, func(w http.ResponseWriter, r *http.Request) {
		answering(w)
		send(w, "row")
		<-r.Context().Done()
	})
	streaming := w.begin(t.Context(), "ExecutePlan", header(), strings.NewReader(frames("plan")))
	if _, err := streaming.receive(); err != nil {
		t.Fatal(err)
	}
	w.app.tokens["waits"] = otherID
	w.app.set(func() { w.app.starting = make(chan struct{}) })
	waiting := make(chan *answered)
	go func() {
		a, err := w.try(t.Context(), "ExecutePlan", header(tokenKey, "waits"), strings.NewReader(frames("plan")))
		if err != nil {
			t.Error(err)
		}
		waiting <- a
	}()
	for admitted := 0; admitted < 2; runtime.Gosched() {
		w.app.set(func() { admitted = len(w.app.admitted) })
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	left := make(chan struct{})
	go func() { defer close(left); w.server.Shutdown(ctx) }()
	t.Run("streams end with a status that makes clients come back", func(t *testing.T) {
		streaming.ended("14", sessionID, "stopping")
	})
	t.Run("so do calls that wait", func(t *testing.T) {
		if a := <-waiting; a != nil {
			a.refused("14", otherID, "stopping")
		}
	})
	<-left
	if ctx.Err() != nil {
		t.Error("it did not leave by itself")
	}
}

// sums write what they are given, counted and summed.
type sums struct {
	hash.Hash
	n int64
}

func (s *sums) Write(p []byte) (int, error) {
	s.n += int64(len(p))
	return s.Hash.Write(p)
}

// A message of the size that Spark's clients take at most goes through whole, and
// the server does not keep it.
func TestLarge(t *testing.T) {
	const size = 128 << 20
	before := inUse()
	check := func(t *testing.T) {
		t.Helper()
		if now := inUse(); now > before+16<<20 {
			t.Errorf("%d MiB are in use, and %d before", now>>20, before>>20)
		}
	}
	chunk := make([]byte, 1<<20)
	for i := range chunk {
		chunk[i] = byte(i * 7)
	}
	want := &sums{Hash: sha256.New()}
	for range size / len(chunk) {
		want.Write(chunk)
	}
	// large writes it, with a look at the memory in the middle.
	large := func(t *testing.T, w io.Writer) {
		for i := range size / len(chunk) {
			if i == size/len(chunk)/2 {
				check(t)
			}
			if _, err := w.Write(chunk); err != nil {
				t.Error(err)
				return
			}
		}
	}
	t.Run("as an answer", func(t *testing.T) {
		w := newWorld(t, sockets{}, func(w http.ResponseWriter, r *http.Request) {
			answering(w)
			large(t, w)
			end(w, "0", "")
		})
		a := w.begin(t.Context(), "ExecutePlan", header(), strings.NewReader(frames("plan")))
		got := &sums{Hash: sha256.New()}
		io.Copy(got, a.Body)
		a.ended("0")
		if got.n != size || string(got.Sum(nil)) != string(want.Sum(nil)) {
			t.Errorf("%d bytes came, or others", got.n)
		}
	})
	t.Run("as an upload", func(t *testing.T) {
		w := newWorld(t, sockets{}, func(w http.ResponseWriter, r *http.Request) {
			answering(w)
			got := &sums{Hash: sha256.New()}
			io.Copy(got, r.Body)
			send(w, fmt.Sprintf("%d %x", got.n, got.Sum(nil)))
			end(w, "0", "")
		})
		upload, body := io.Pipe()
		go func() { large(t, body); body.Close() }()
		a := w.begin(t.Context(), "AddArtifacts", header(), upload)
		if got, err := a.receive(); got != fmt.Sprintf("%d %x", size, want.Sum(nil)) || err != nil {
			t.Errorf("came %s, %v", got, err)
		}
		a.ended("0")
	})
}

// inUse is what is reachable in memory.
func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
