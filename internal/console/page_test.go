package console_test

import (
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"hearth"
	"hearth/internal/objects"
)

var tokenField = regexp.MustCompile(`name="token" value="([^"]+)"`)

// form is what the page's form sends.
func (b *browser) form(code string) url.Values {
	b.t.Helper()
	token := tokenField.FindStringSubmatch(b.page())
	if token == nil {
		b.t.Fatal("the page has no form")
	}
	return url.Values{"code": {code}, "token": {token[1]}}
}

const refresh = `<meta http-equiv="refresh"`

func TestRun(t *testing.T) {
	w := newWorld(t)
	id, d := w.idle()
	b := w.visit(id)
	has(t, b.page(), `<label for="code">`, "primary", "PySpark engine version 3", "20 minutes", "IDLE")
	lacks(t, b.page(), refresh)

	form := b.form("print(6*7)\r\nx = '<&>'")
	b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, _ := b.send(b.request("POST", b.address("/calculations"), form))
	c := hearth.Calculation{ID: strings.TrimPrefix(<-d.told, "execute "), SessionID: id}
	if want := "/ui/sessions/" + id + "#calculation-" + c.ID; response.StatusCode != http.StatusSeeOther || response.Header.Get("Location") != want {
		t.Errorf("%s to %s", response.Status, response.Header.Get("Location"))
	}
	b.client.CheckRedirect = nil
	t.Run("the code is what was typed", func(t *testing.T) {
		if got := must(w.service.Calculation(t.Context(), c.ID))(t).Code; got != "print(6*7)\nx = '<&>'" {
			t.Errorf("%q", got)
		}
	})
	t.Run("while it runs, the page shows its output so far and looks again", func(t *testing.T) {
		d.writes(c.ID, "stdout", "so far")
		has(t, b.page(), refresh, "BUSY", `id="calculation-`+c.ID, "so far", "x = &#39;&lt;&amp;&gt;&#39;", "/stop", "?refresh=never")
		lacks(t, b.page(), "<textarea")
		_, still := b.get("?refresh=never")
		has(t, still, "so far", "Refresh this page")
		lacks(t, still, refresh)
	})
	t.Run("sent twice, it runs once", func(t *testing.T) {
		if status, text := b.post("/calculations", form); status != http.StatusOK || !strings.Contains(text, "BUSY") {
			t.Errorf("%d %s", status, text)
		}
	})
	t.Run("what a busy session does not take is kept", func(t *testing.T) {
		status, text := b.post("/calculations", url.Values{"code": {"\nmine </textarea><script>"}})
		if status != http.StatusConflict {
			t.Error(status)
		}
		has(t, text, "Session is in the BUSY state", ">\n\nmine &lt;/textarea&gt;&lt;script&gt;</textarea>", `role="alert"`)
		lacks(t, text, refresh, "<script")
	})
	w.finish(d, c, "42\n", "a warning", `{"outputs":[]}`)
	t.Run("when it has ended, the page shows all and stays", func(t *testing.T) {
		has(t, b.page(), "COMPLETED", "42\n", "a warning", "DPU seconds", "<textarea")
		lacks(t, b.page(), refresh, "/stop", "so far")
	})
	t.Run("the same code again is another calculation", func(t *testing.T) {
		b.post("/calculations", b.form("print(6*7)\r\nx = '<&>'"))
		again := hearth.Calculation{ID: strings.TrimPrefix(<-d.told, "execute "), SessionID: id}
		w.finish(d, again, "", "", `{}`)
	})
	t.Run("changed code in a form that was sent is another calculation", func(t *testing.T) {
		form := b.form("1")
		for _, code := range []string{"1", "2"} {
			form.Set("code", code)
			b.post("/calculations", form)
			w.finish(d, hearth.Calculation{ID: strings.TrimPrefix(<-d.told, "execute "), SessionID: id}, "", "", `{}`)
		}
	})
	for name, c := range map[string]struct{ code, says string }{
		"no code":            {" \r\n ", "There is no code"},
		"too much code":      {strings.Repeat("é", 68001), "at most 68000"},
		"far too much of it": {strings.Repeat("x", 1<<20), "at most 68000"},
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			if status, text := b.post("/calculations", url.Values{"code": {c.code}}); status != http.StatusBadRequest || !strings.Contains(text, c.says) {
				t.Errorf("%d %s", status, text)
			}
		})
	}
	t.Run("takes the longest code in the longest form", func(t *testing.T) {
		b.post("/calculations", b.form(strings.Repeat("𝄞", hearth.MaxCodeLength)))
		w.finish(d, hearth.Calculation{ID: strings.TrimPrefix(<-d.told, "execute "), SessionID: id}, "", "", `{}`)
	})
}

func TestStop(t *testing.T) {
	w := newWorld(t)
	id, d := w.idle()
	other, e := w.idle()
	c := w.submit(id, d, hearth.CalculationRequest{Code: "1"})
	others := w.submit(other, e, hearth.CalculationRequest{Code: "1"})
	b := w.visit(id)
	if status, text := b.post("/calculations/"+c.ID+"/stop", url.Values{}); status != http.StatusOK || !strings.Contains(text, "CANCELING") {
		t.Errorf("%d %s", status, text)
	}
	w.told(d, "cancel "+c.ID)
	for _, part := range []string{"/stop", "/stdout"} {
		for _, id := range []string{others.ID, "never"} {
			r := b.request("GET", b.address("/calculations/"+id+part), nil)
			if part == "/stop" {
				r.Method = "POST"
			}
			if status, _ := b.do(r); status != http.StatusNotFound {
				t.Errorf("%s of a calculation that is not the session's: %d", part, status)
			}
		}
	}
}

func TestEnd(t *testing.T) {
	w := newWorld(t)
	id, d := w.idle()
	b := w.visit(id)
	has(t, b.page(), "/end")
	if status, text := b.get("/end"); status != http.StatusOK || !strings.Contains(text, "<button>End the session</button>") {
		t.Errorf("%d %s", status, text)
	}
	if status, text := b.post("/end", url.Values{}); status != http.StatusOK || !strings.Contains(text, "TERMINATING") || !strings.Contains(text, refresh) {
		t.Errorf("%d %s", status, text)
	}
	w.told(d, "end")
	d.happens <- hearth.DriverEvent{Type: hearth.DriverExited, Exit: hearth.ExitRequested}
	w.await(id, hearth.SessionTerminated)
	has(t, b.page(), "TERMINATED", "The session has ended.")
	lacks(t, b.page(), refresh, "<textarea", "/end")
	if status, text := b.post("/calculations", url.Values{"code": {"late"}}); status != http.StatusConflict || !strings.Contains(text, ">\nlate</textarea>") {
		t.Errorf("%d %s", status, text)
	}
}

func TestStarting(t *testing.T) {
	w := newWorld(t)
	session, _ := w.start(hearth.SessionRequest{Description: "<script>alert(1)</script>"})
	page := w.visit(session.ID).page()
	has(t, page, "CREATED", "The session is starting", refresh, "&lt;script&gt;")
	lacks(t, page, "<textarea", "<script")
}

func TestOutput(t *testing.T) {
	w := newWorld(t)
	id, d := w.idle()
	b := w.visit(id)
	long := strings.Repeat("a line\n", 10000) + "é the end\n\xff"
	c := w.submit(id, d, hearth.CalculationRequest{Code: "1"})
	t.Run("that has not begun is none", func(t *testing.T) {
		has(t, b.page(), c.ID)
		if status, _ := b.get("/calculations/" + c.ID + "/stdout"); status != http.StatusNotFound {
			t.Error(status)
		}
	})
	w.finish(d, c, long, strings.Repeat("x", 30000), `{}`)
	t.Run("is shown from the beginning of a line near its end", func(t *testing.T) {
		page := b.page()
		has(t, page, "<samp>a line\n", "é the end\n�</samp>", "/calculations/"+c.ID+"/stdout", "/calculations/"+c.ID+"/stderr", "<samp>"+strings.Repeat("x", 20000)+"</samp>")
		if n := strings.Count(page, "a line\n"); n < 2800 || n > 2900 {
			t.Errorf("%d lines", n)
		}
	})
	t.Run("is to be had whole, as text", func(t *testing.T) {
		response, text := b.send(b.request("GET", b.address("/calculations/"+c.ID+"/stdout"), nil))
		if text != long || response.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%d bytes, %v", len(text), response.Header)
		}
	})
}

func TestPages(t *testing.T) {
	w := newWorld(t)
	id, d := w.idle()
	b := w.visit(id)
	for i := range 21 {
		w.finish(d, w.submit(id, d, hearth.CalculationRequest{Code: "1", Description: fmt.Sprintf("number %d.", i)}), "", "", `{}`)
	}
	latest := b.page()
	has(t, latest, "number 1.", "number 20.", "<textarea")
	lacks(t, latest, "number 0.")
	if strings.Index(latest, "number 1.") > strings.Index(latest, "number 20.") {
		t.Error("the oldest is not first")
	}
	earlier := regexp.MustCompile(`href="([^"]*\?before=[^"]*)">Earlier`).FindStringSubmatch(latest)
	if earlier == nil {
		t.Fatal(latest)
	}
	status, text := b.do(b.request("GET", w.server.URL+html.UnescapeString(earlier[1]), nil))
	has(t, text, "number 0.", "Latest calculations")
	lacks(t, text, "number 1.", "<textarea", "Earlier calculations")
	if status != http.StatusOK {
		t.Error(status)
	}
	if status, _ := b.get("?before=nonsense"); status != http.StatusBadRequest {
		t.Error(status)
	}
}

func TestResults(t *testing.T) {
	w := newWorld(t)
	id, d := w.idle()
	b := w.visit(id)
	const attack = `<script>alert(1)</script>"'><img src=x onerror=alert(1)></iframe></samp>`
	// shown displays one bundle.
	shown := func(t *testing.T, data map[string]any) string {
		t.Helper()
		c := w.submit(id, d, hearth.CalculationRequest{Code: attack, Description: attack})
		w.finish(d, c, attack, attack, string(must(json.Marshal(map[string]any{"outputs": []any{map[string]any{"output_type": "display_data", "data": data}}}))(t)))
		page := b.page()
		lacks(t, page, "<script", "<img src=x", "</iframe></samp>")
		_, last, _ := strings.Cut(page, `id="calculation-`+c.ID+`"`)
		last, _, _ = strings.Cut(last, "</article>")
		return last
	}
	t.Run("text", func(t *testing.T) {
		has(t, shown(t, map[string]any{"text/plain": "<b>84"}), "<samp>&lt;b&gt;84</samp>")
		has(t, shown(t, map[string]any{"text/plain": []string{"a\n", "b"}}), "<samp>a\nb</samp>")
		shown(t, map[string]any{"text/plain": attack})
	})
	t.Run("an image, with the text for who cannot see it", func(t *testing.T) {
		has(t, shown(t, map[string]any{"image/png": "iVBO\nRw0K", "text/plain": `<Figure "1">`, "text/html": "<p>"}),
			`<img src="data:image/png;base64,iVBORw0K" alt="&lt;Figure &#34;1&#34;&gt;">`)
	})
	t.Run("an image that is none", func(t *testing.T) {
		for _, image := range []any{`x" onerror="alert(1)`, 7, []any{7}} {
			text := shown(t, map[string]any{"image/png": image, "text/plain": "instead"})
			has(t, text, "<samp>instead</samp>")
			lacks(t, text, "<img", "onerror=\"")
		}
	})
	t.Run("a drawing, as an image, in which no script runs", func(t *testing.T) {
		has(t, html.UnescapeString(shown(t, map[string]any{"image/svg+xml": "<svg onload='alert(1)'>" + attack})), `<img src="data:image/svg+xml;base64,PHN2Zy`)
	})
	t.Run("a document, in a sandbox that allows nothing", func(t *testing.T) {
		text := shown(t, map[string]any{"text/html": []string{"<table>", attack}, "text/plain": "plain"})
		frame := regexp.MustCompile(`<iframe sandbox title="Result" srcdoc="([^"]*)"></iframe>`).FindStringSubmatch(text)
		if frame == nil {
			t.Fatal(text)
		}
		has(t, text, "scripts, which do not run here")
		lacks(t, shown(t, map[string]any{"text/html": "<table>"}), "do not run here")
		if document := html.UnescapeString(frame[1]); !strings.HasSuffix(document, "<body><table>"+attack) {
			t.Errorf("its document is %s", document)
		}
	})
	t.Run("what no page can show", func(t *testing.T) {
		has(t, shown(t, map[string]any{"application/x-b": attack, "application/x-a": map[string]any{}}), "cannot be shown here: application/x-a, application/x-b")
	})
	t.Run("too much", func(t *testing.T) {
		text := shown(t, map[string]any{"text/plain": strings.Repeat("x", 5<<20)})
		has(t, text, "too large to be shown here", "s3://hearth/"+id)
		if len(text) > 10000 {
			t.Errorf("%d bytes", len(text))
		}
	})
	t.Run("what cannot be read is told in its place", func(t *testing.T) {
		w.finish(d, w.submit(id, d, hearth.CalculationRequest{Code: "broken"}), "", "", "{")
		page := b.page()
		has(t, page, "broken", "Internal error. The server&#39;s log has the details")
		lacks(t, page, "unexpected end")
		has(t, w.log.String(), "unexpected end of JSON input")

		c := w.submit(id, d, hearth.CalculationRequest{Code: "lost"})
		w.finish(d, c, "", "", "{}")
		if err := os.RemoveAll(objects.Folder(w.bucket, c.WorkingDirectory)); err != nil {
			t.Fatal(err)
		}
		has(t, b.page(), "lost", c.StdoutURI(), c.StderrURI(), c.ResultDocumentURI())
	})
}

func TestNotebook(t *testing.T) {
	w := newWorld(t)
	plain, _ := w.idle()
	b := w.visit(plain)
	lacks(t, b.page(), "notebook.ipynb")
	if status, _ := b.get("/notebook.ipynb"); status != http.StatusNotFound {
		t.Error(status)
	}

	notebook := must(w.service.CreateNotebook(t.Context(), "SOMEBODY", hearth.NotebookRequest{WorkGroup: "primary", Name: `Zürich "1"`}))(t)
	session, _ := w.start(hearth.SessionRequest{
		NotebookVersion:     "Athena notebook version 1",
		EngineConfiguration: hearth.EngineConfiguration{AdditionalConfigs: map[string]string{"NotebookId": notebook}},
	})
	b = w.visit(session.ID)
	has(t, b.page(), "/notebook.ipynb")
	response, text := b.send(b.request("GET", b.address("/notebook.ipynb"), nil))
	if text != hearth.EmptyIPYNB || response.Header.Get("Content-Type") != "application/x-ipynb+json" || response.Header.Get("Content-Disposition") != "attachment; filename*=utf-8''Z%C3%BCrich%20%221%22.ipynb" {
		t.Errorf("%v %s", response.Header, text)
	}
}
