package console_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/internal/access"
)

func TestLink(t *testing.T) {
	w := newWorld(t)
	id, _ := w.idle()
	other, _ := w.idle()
	link := w.link(id)
	never := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

	t.Run("is the address and the token, and lives for ten minutes", func(t *testing.T) {
		if want := w.server.URL + "/ui/sessions/" + id + "?authToken=" + link.Token; link.URL != want {
			t.Errorf("%s, want %s", link.URL, want)
		}
		if left := time.Until(link.Expires); left > 10*time.Minute || left < 9*time.Minute {
			t.Errorf("it lives for %v", left)
		}
	})
	t.Run("is not made for nobody", func(t *testing.T) {
		if _, err := w.console.Link(t.Context(), "NOBODY", w.server.URL, id); hearth.KindOf(err) != hearth.KindNotFound {
			t.Errorf("error %v", err)
		}
	})
	t.Run("leaves a cookie for this session and leads to an address without the token", func(t *testing.T) {
		b := w.browser()
		b.client.CheckRedirect = never
		response, text := b.send(b.request("GET", link.URL, nil))
		if response.StatusCode != http.StatusSeeOther || response.Header.Get("Location") != "/ui/sessions/"+id {
			t.Errorf("%s to %s", response.Status, response.Header.Get("Location"))
		}
		lacks(t, text, link.Token)
		if len(response.Cookies()) != 1 {
			t.Fatalf("cookies %v", response.Cookies())
		}
		c := response.Cookies()[0]
		if c.Path != "/ui/sessions/"+id || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Secure || c.MaxAge != 12*60*60 || c.Domain != "" || c.Value == link.Token {
			t.Errorf("cookie %+v", c)
		}
	})
	t.Run("sets a cookie that stays within TLS", func(t *testing.T) {
		server := httptest.NewTLSServer(w.console)
		defer server.Close()
		client := server.Client()
		client.CheckRedirect = never
		response := must(client.Get(server.URL + strings.TrimPrefix(link.URL, w.server.URL)))(t)
		response.Body.Close()
		if c := response.Cookies(); len(c) != 1 || !c[0].Secure {
			t.Errorf("cookies %v", c)
		}
	})
	t.Run("opens the page, and the log says for whom", func(t *testing.T) {
		b := w.visit(id)
		has(t, b.page(), "Session "+id)
		has(t, w.log.String(), `msg="session opened in a browser" session=`+id+" key="+w.keys.Root().AccessKeyID)
		lacks(t, w.log.String(), link.Token)
	})

	seal := func(change func(*access.Pass)) string {
		p := access.Pass{Purpose: access.PurposeLink, SessionID: id, AccessKeyID: w.keys.Root().AccessKeyID, Expires: time.Now().Add(time.Hour)}
		change(&p)
		return must(w.keys.Seal(t.Context(), p))(t)
	}
	asPage := func(p *access.Pass) { p.Purpose = access.PurposePage }
	old := func(p *access.Pass) { p.Expires = time.Now().Add(-time.Second) }
	for name, token := range map[string]string{
		"expired": seal(old), "of another session": w.link(other).Token, "changed": link.Token[:len(link.Token)-2] + "AA",
		"a cookie's": seal(asPage), "empty": "", "nonsense": `"><script>alert(1)</script>`,
	} {
		t.Run("is refused when it is "+name, func(t *testing.T) {
			b := w.browser()
			b.id = id
			response, text := b.send(b.request("GET", b.address("?authToken="+url.QueryEscape(token)), nil))
			if response.StatusCode != http.StatusForbidden || len(response.Cookies()) > 0 {
				t.Errorf("%s %v", response.Status, response.Cookies())
			}
			has(t, text, "hearth sessions open", "CreatePresignedNotebookUrl")
			lacks(t, text, id, "<script")
		})
	}

	cookies := map[string]string{
		"none": "", "a link's": link.Token, "of another session": seal(func(p *access.Pass) { asPage(p); p.SessionID = other }),
		"expired": seal(func(p *access.Pass) { asPage(p); old(p) }), "nonsense": "nonsense",
	}
	for name, cookie := range cookies {
		for _, address := range []string{
			"GET ", "HEAD ", "POST /calculations", "POST /calculations/x/stop", "GET /calculations/x/stdout",
			"GET /notebook.ipynb", "GET /end", "POST /end",
		} {
			t.Run(address+" with a cookie that is "+name, func(t *testing.T) {
				b := w.browser()
				b.id = id
				method, part, _ := strings.Cut(address, " ")
				r := b.request(method, b.address(part), nil)
				if cookie != "" {
					r.AddCookie(&http.Cookie{Name: "hearth-session", Value: cookie})
				}
				if status, text := b.do(r); status != http.StatusForbidden {
					t.Errorf("%d %s", status, text)
				}
			})
		}
	}
	t.Run("to one session does not open another one in the same browser", func(t *testing.T) {
		b := w.visit(id)
		b.id = other
		if status, _ := b.get(""); status != http.StatusForbidden {
			t.Error(status)
		}
	})
	t.Run("to what is no session, with a pass", func(t *testing.T) {
		b := w.browser()
		if status, text := b.do(b.request("GET", w.link("never").URL, nil)); status != http.StatusNotFound || !strings.Contains(text, "is not found") {
			t.Errorf("%d %s", status, text)
		}
	})
}

// Ensure that the pages cannot be made to do anything by others: not by what
// is shown on them, and not by other sites.
func TestHeaders(t *testing.T) {
	w := newWorld(t)
	id, d := w.idle()
	c := w.submit(id, d, hearth.CalculationRequest{Code: "1"})
	b := w.visit(id)
	for _, request := range []string{
		"GET ", "HEAD ", "GET /end", "GET /calculations/" + c.ID + "/stdout", "GET /nothing", "DELETE ", "POST /calculations", "GET ?authToken=x", "GET /calculations/" + c.ID + "/other",
	} {
		t.Run(request, func(t *testing.T) {
			method, part, _ := strings.Cut(request, " ")
			response, _ := b.send(b.request(method, b.address(part), nil))
			for name, want := range map[string]string{
				"X-Content-Type-Options":       "nosniff",
				"Referrer-Policy":              "same-origin",
				"Cache-Control":                "no-store",
				"Cross-Origin-Opener-Policy":   "same-origin",
				"Cross-Origin-Resource-Policy": "same-origin",
			} {
				if got := response.Header.Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			policy := response.Header.Get("Content-Security-Policy")
			has(t, policy, "default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'", "img-src data:;")
			lacks(t, policy, "script-src", "unsafe", "http:", "*")
		})
	}
	t.Run("the style is the one that is allowed", func(t *testing.T) {
		response, text := b.send(b.request("GET", b.address(""), nil))
		style := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindStringSubmatch(text)
		if style == nil {
			t.Fatal(text)
		}
		sum := sha256.Sum256([]byte(style[1]))
		has(t, response.Header.Get("Content-Security-Policy"), "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
		lacks(t, text, "style=")
	})
	for _, request := range []string{"POST ", "PUT ", "DELETE /end"} {
		t.Run("no "+request, func(t *testing.T) {
			method, part, _ := strings.Cut(request, " ")
			if status, _ := b.do(b.request(method, b.address(part), nil)); status != http.StatusMethodNotAllowed {
				t.Error(status)
			}
		})
	}
	for name, header := range map[string][2]string{
		"another site":                  {"Sec-Fetch-Site", "cross-site"},
		"another port of this host":     {"Sec-Fetch-Site", "same-site"},
		"another origin":                {"Origin", "http://127.0.0.1:1"},
		"an origin that hides its name": {"Origin", "null"},
	} {
		t.Run(name+" may link here and send no form", func(t *testing.T) {
			for _, part := range []string{"/calculations", "/calculations/" + c.ID + "/stop", "/end"} {
				r := b.request("POST", b.address(part), url.Values{"code": {"1"}})
				r.Header.Set(header[0], header[1])
				if status, text := b.do(r); status != http.StatusForbidden {
					t.Errorf("%s: %d %s", part, status, text)
				}
			}
			r := b.request("GET", b.address(""), nil)
			r.Header.Set(header[0], header[1])
			if status, text := b.do(r); status != http.StatusOK {
				t.Errorf("%d %s", status, text)
			}
		})
	}
	t.Run("our own forms are taken", func(t *testing.T) {
		for name, value := range map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": w.server.URL} {
			r := b.request("POST", b.address("/calculations/"+c.ID+"/stop"), url.Values{})
			r.Header.Set(name, value)
			if status, text := b.do(r); status != http.StatusOK {
				t.Errorf("%s: %d %s", name, status, text)
			}
		}
	})
	t.Run("a server that is not ready", func(t *testing.T) {
		w.waiting = hearth.Errorf(hearth.KindUnavailable, "Spark is being installed")
		defer func() { w.waiting = nil }()
		if status, text := b.get(""); status != http.StatusServiceUnavailable || !strings.Contains(text, "not ready yet: Spark is being installed.") {
			t.Errorf("%d %s", status, text)
		}
	})
}
