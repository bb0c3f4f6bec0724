package console_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/internal/access"
)

// spark shows pages as a driver does that may do what it likes.
type spark struct {
	server *httptest.Server
	asked  *http.Request // the last request
}

const sparkSecret = "only Hearth knows"

func newSpark(t *testing.T, serve http.HandlerFunc) *spark {
	t.Helper()
	s := new(spark)
	s.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked = r
		serve(w, r)
	}))
	t.Cleanup(s.server.Close)
	return s
}

func (s *spark) endpoint() hearth.Endpoint {
	return hearth.Endpoint{Address: strings.TrimPrefix(s.server.URL, "http://"), Secret: sparkSecret}
}

func (w *world) sparkLink(sessionID string) hearth.Link {
	w.t.Helper()
	return must(w.console.SparkLink(w.t.Context(), w.keys.Root().AccessKeyID, w.server.URL, sessionID))(w.t)
}

// inspect is a browser that has opened Spark's pages by a link.
func (w *world) inspect(sessionID string) *browser {
	w.t.Helper()
	return w.opens(sessionID, w.sparkLink(sessionID))
}

func page(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, "Spark's %s for %s", r.URL.RequestURI(), r.Header.Get("X-Forwarded-Context"))
}

func TestSparkLink(t *testing.T) {
	w := newWorld(t)
	id, d := w.idle()
	other, _ := w.idle()
	d.shows(newSpark(t, page).endpoint())
	root := "/ui/sessions/" + id + "/spark"

	t.Run("leads to Spark's pages, with a cookie that goes there only", func(t *testing.T) {
		b := w.browser()
		b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		response, _ := b.send(b.request("GET", w.sparkLink(id).URL, nil))
		if response.StatusCode != http.StatusSeeOther || response.Header.Get("Location") != root || len(response.Cookies()) != 1 {
			t.Fatalf("%s to %s, %v", response.Status, response.Header.Get("Location"), response.Cookies())
		}
		if c := response.Cookies()[0]; c.Path != root || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.MaxAge != 12*60*60 {
			t.Errorf("cookie %+v", c)
		}
		first, _ := b.send(b.request("GET", w.server.URL+root, nil))
		if to := first.Header.Get("Location"); first.StatusCode != http.StatusSeeOther || to != root+"/" {
			t.Errorf("%s to %s", first.Status, to)
		}
		has(t, w.log.String(), `msg="Spark's pages opened in a browser" session=`+id)
	})
	t.Run("opens no page on which something can be run", func(t *testing.T) {
		b := w.inspect(id)
		for _, part := range []string{"", "/end", "/notebook.ipynb"} {
			if status, _ := b.get(part); status != http.StatusForbidden {
				t.Errorf("%s: %d", part, status)
			}
		}
	})
	t.Run("opens no other session", func(t *testing.T) {
		b := w.inspect(id)
		b.id = other
		if status, _ := b.get("/spark/jobs/"); status != http.StatusForbidden {
			t.Error(status)
		}
	})
	t.Run("is not needed by whoever has opened the session's page, which leads there", func(t *testing.T) {
		b := w.visit(id)
		has(t, b.page(), `href="`+root+`"`)
		if status, text := b.get("/spark"); status != http.StatusOK || !strings.Contains(text, "Spark's / for "+root) {
			t.Errorf("%d %s", status, text)
		}
	})
	seal := func(change func(*access.Pass)) string {
		p := access.Pass{Purpose: access.PurposeSparkLink, SessionID: id, AccessKeyID: w.keys.Root().AccessKeyID, Expires: time.Now().Add(time.Hour)}
		change(&p)
		return must(w.keys.Seal(t.Context(), p))(t)
	}
	for name, test := range map[string]struct{ token, says string }{
		"expired":            {seal(func(p *access.Pass) { p.Expires = time.Now().Add(-time.Second) }), "The link has expired."},
		"of another session": {w.sparkLink(other).Token, "does not open this session"},
		"to the page":        {w.link(id).Token, "does not open this session"},
		"a cookie's":         {seal(func(p *access.Pass) { p.Purpose = access.PurposeSparkPage }), "does not open this session"},
		"nonsense":           {"nonsense", "does not open this session"},
	} {
		t.Run("is refused when it is "+name, func(t *testing.T) {
			b := w.browser()
			b.id = id
			response, text := b.send(b.request("GET", b.address("/spark?authToken="+url.QueryEscape(test.token)), nil))
			if response.StatusCode != http.StatusForbidden || len(response.Cookies()) > 0 {
				t.Errorf("%s %v", response.Status, response.Cookies())
			}
			has(t, text, test.says, "GetResourceDashboard")
		})
	}
	t.Run("a stranger sees nothing", func(t *testing.T) {
		b := w.browser()
		b.id = id
		for _, part := range []string{"/spark/", "/spark/static/webui.js", "/spark/api/v1/applications"} {
			if status, text := b.get(part); status != http.StatusForbidden {
				t.Errorf("%s: %d %s", part, status, text)
			}
		}
	})
}

func TestSparkPages(t *testing.T) {
	w := newWorld(t)
	id, d := w.idle()
	live := newSpark(t, page)
	d.shows(live.endpoint())
	b := w.inspect(id)
	root := "/ui/sessions/" + id + "/spark"

	t.Run("are asked for where they are, and told where they are seen", func(t *testing.T) {
		for _, part := range []string{"/jobs/", "/jobs/job/?id=1&x=%2F", "/SQL/execution/?id=0", "/static/a%20b.js"} {
			if status, text := b.get("/spark" + part); status != http.StatusOK || text != "Spark's "+part+" for "+root {
				t.Errorf("%s: %d %s", part, status, text)
			}
		}
	})
	t.Run("get the driver's secret, and nothing of the browser's but what makes the page", func(t *testing.T) {
		r := b.request("GET", b.address("/spark/jobs/"), nil)
		for name, value := range map[string]string{
			"Authorization": "Bearer x", "X-Forwarded-Context": "/elsewhere", hearth.PageSecretHeader: "guess",
			"X-Forwarded-For": "1.2.3.4", "Accept-Language": "cy",
		} {
			r.Header.Set(name, value)
		}
		b.do(r)
		got := live.asked.Header
		if got.Get(hearth.PageSecretHeader) != sparkSecret || got.Get("X-Forwarded-Context") != root || got.Get("Accept-Language") != "cy" || live.asked.Host != live.endpoint().Address {
			t.Errorf("it got %v", got)
		}
		for _, name := range []string{"Cookie", "Authorization", "X-Forwarded-For", "Referer"} {
			if got.Get(name) != "" {
				t.Errorf("it got %s: %s", name, got.Get(name))
			}
		}
	})
	t.Run("change nothing", func(t *testing.T) {
		for _, method := range []string{"POST", "PUT", "DELETE"} {
			if status, _ := b.do(b.request(method, b.address("/spark/jobs/"), nil)); status != http.StatusMethodNotAllowed {
				t.Errorf("%s: %d", method, status)
			}
		}
		live.asked = nil
		for _, part := range []string{"/jobs/job/kill/?id=1", "/stages/stage/kill/?id=1", "/jobs/job/kill;x/?id=1", "/jobs/job/%6bill;x=/?id=1"} {
			if status, text := b.get("/spark" + part); status != http.StatusBadRequest || live.asked != nil {
				t.Errorf("%s: %d %s", part, status, text)
			}
		}
	})
	t.Run("are kept to themselves, whatever a driver sends", func(t *testing.T) {
		d.shows(newSpark(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Security-Policy", "default-src *")
			w.Header().Set("Access-Control-Allow-Origin", "*")
			w.Header().Set("Service-Worker-Allowed", "/")
			w.Header().Set("Set-Cookie", "hearth-session=x; Path=/")
			w.Header().Set("Clear-Site-Data", `"*"`)
			w.Header().Set("Refresh", "0; url=/")
			io.WriteString(w, "<script>1</script>")
		}).endpoint())
		defer d.shows(live.endpoint())
		response, _ := b.send(b.request("GET", b.address("/spark/jobs/"), nil))
		for _, name := range []string{"Access-Control-Allow-Origin", "Service-Worker-Allowed", "Set-Cookie", "Clear-Site-Data", "Refresh"} {
			if value := response.Header.Get(name); value != "" {
				t.Errorf("%s: %s", name, value)
			}
		}
		policies := response.Header.Values("Content-Security-Policy")
		if len(policies) != 1 {
			t.Fatalf("policies %v", policies)
		}
		below := w.server.URL + root + "/"
		has(t, policies[0], "default-src 'none'", "connect-src "+below+";", "form-action "+below+";", "frame-ancestors 'none'", "base-uri 'none'", "worker-src 'none'", "sandbox ")
		lacks(t, policies[0], "*", "'self'", "allow-popups", "frame-src")
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Cross-Origin-Opener-Policy": "same-origin"} {
			if got := response.Header.Get(name); got != want {
				t.Errorf("%s is %q", name, got)
			}
		}
	})
	t.Run("leave no program in the browser", func(t *testing.T) {
		r := b.request("GET", b.address("/spark/static/worker.js"), nil)
		r.Header.Set("Service-Worker", "script") // as browsers ask for one
		live.asked = nil
		if status, text := b.do(r); status != http.StatusForbidden || live.asked != nil {
			t.Errorf("%d %s", status, text)
		}
	})
	t.Run("say nothing before their answer", func(t *testing.T) {
		d.shows(newSpark(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "</ui/other>; rel=preload")
			w.Header().Set("Set-Cookie", "hearth-session=x; Path=/")
			w.WriteHeader(http.StatusEarlyHints)
			page(w, r)
		}).endpoint())
		defer d.shows(live.endpoint())
		r := b.request("GET", b.address("/spark/jobs/"), nil)
		r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
				t.Errorf("before it came %d with %v", code, header)
				return nil
			},
		}))
		response, text := b.send(r)
		if got := response.Header.Get("X-Content-Type-Options"); response.StatusCode != http.StatusOK || got != "nosniff" {
			t.Errorf("%s, X-Content-Type-Options %q", response.Status, got)
		}
		has(t, text, "Spark's /jobs/")
	})
	t.Run("do not get the browser's connection", func(t *testing.T) {
		d.shows(newSpark(t, func(w http.ResponseWriter, _ *http.Request) {
			connection, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			io.WriteString(connection, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
			connection.Close()
		}).endpoint())
		defer d.shows(live.endpoint())
		if status, text := b.get("/spark/jobs/"); status != http.StatusServiceUnavailable {
			t.Errorf("%d %s", status, text)
		}
	})
	t.Run("of which scripts and styles may be kept for a while", func(t *testing.T) {
		response, _ := b.send(b.request("GET", b.address("/spark/static/webui.js"), nil))
		if got := response.Header.Get("Cache-Control"); got != "private, max-age=3600" {
			t.Error(got)
		}
	})
	for to, want := range map[string]string{
		"/jobs/": root + "/jobs/",
		"http://" + live.endpoint().Address + "/jobs/?a=b": root + "/jobs/?a=b",
		root + "/history/local-1/":                         root + "/history/local-1/",
		"https://elsewhere.example/x":                      root + "/x",
		"//elsewhere.example/x":                            root + "/x",
		root + "/../../../other":                           root + "/ui/other",
		"/..%2f..%2fother/":                                root + "/other/",
		"/":                                                root + "/",
		"javascript:alert(1)":                              root + "/",
		"%zz":                                              root + "/",
	} {
		t.Run("a redirection to "+to+" stays among them", func(t *testing.T) {
			d.shows(newSpark(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", to)
				w.WriteHeader(http.StatusFound)
			}).endpoint())
			defer d.shows(live.endpoint())
			b := w.inspectNothing(id)
			response, _ := b.send(b.request("GET", b.address("/spark/x"), nil))
			if got := response.Header.Get("Location"); got != want {
				t.Errorf("it leads to %s, want %s", got, want)
			}
		})
	}
	t.Run("that do not answer are told so, and looked for again", func(t *testing.T) {
		gone := newSpark(t, page)
		d.shows(gone.endpoint())
		defer d.shows(live.endpoint())
		gone.server.Close()
		response, text := b.send(b.request("GET", b.address("/spark/jobs/"), nil))
		if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Refresh") != "5" {
			t.Errorf("%s, refresh %q", response.Status, response.Header.Get("Refresh"))
		}
		has(t, text, "Spark&#39;s pages of session "+id+" do not answer.")
	})
	t.Run("of a driver without are told so", func(t *testing.T) {
		d.shows(hearth.Endpoint{})
		defer d.shows(live.endpoint())
		if status, text := b.get("/spark/jobs/"); status != http.StatusServiceUnavailable || !strings.Contains(text, "The driver has no Spark.") {
			t.Errorf("%d %s", status, text)
		}
	})
	t.Run("of a session that has ended are its history", func(t *testing.T) {
		ended, driver := w.idle()
		driver.shows(live.endpoint())
		b := w.inspect(ended)
		driver.happens <- hearth.DriverEvent{Type: hearth.DriverExited, Exit: hearth.ExitIdle}
		w.await(ended, hearth.SessionTerminated)
		if status, text := b.get("/spark/"); status != http.StatusNotFound || !strings.Contains(text, "There is no history of session "+ended) {
			t.Errorf("%d %s", status, text)
		}
		w.history[ended] = newSpark(t, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "history") }).endpoint()
		if status, text := w.inspect(ended).get("/spark/"); status != http.StatusOK || text != "history" {
			t.Errorf("%d %s", status, text)
		}
	})
}

// inspectNothing is a browser with the cookie for Spark's pages that has not looked
// at any, and follows no redirection.
func (w *world) inspectNothing(sessionID string) *browser {
	w.t.Helper()
	b := w.browser()
	b.id = sessionID
	b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	b.do(b.request("GET", w.sparkLink(sessionID).URL, nil))
	return b
}
