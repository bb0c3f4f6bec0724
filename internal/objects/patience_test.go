package objects

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Ensure that a client hears of what takes long before it gives up.
func TestPatience(t *testing.T) {
	h := &handler{log: slog.New(slog.DiscardHandler)}
	answer := func(takes time.Duration, err error) (w *httptest.ResponseRecorder) {
		synctest.Test(t, func(t *testing.T) {
			w = httptest.NewRecorder()
			r := httptest.NewRequest(http.MethodPost, "/hearth/a", nil)
			failed := h.patiently(w, r, func() (any, error) {
				time.Sleep(takes)
				return copyResultOf("CopyObjectResult", Info{ETag: "x"}), err
			})
			if failed != nil {
				h.refuse(w, r, failed)
			}
		})
		return w
	}
	t.Run("done at once", func(t *testing.T) {
		if w := answer(0, nil); w.Code != http.StatusOK || w.Flushed || !strings.HasPrefix(w.Body.String(), "<?xml") || !strings.Contains(w.Body.String(), "<CopyObjectResult") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
	t.Run("refused at once", func(t *testing.T) {
		if w := answer(0, faultf(noSuchKey, "none")); w.Code != http.StatusNotFound || !strings.Contains(w.Body.String(), "NoSuchKey") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
	t.Run("done late", func(t *testing.T) {
		w := answer(5*patience+1, nil)
		begin, rest, _ := strings.Cut(w.Body.String(), "<Copy")
		if w.Code != http.StatusOK || !w.Flushed || strings.TrimSpace(begin) != `<?xml version="1.0" encoding="UTF-8"?>` || !strings.HasSuffix(begin, "    ") || !strings.Contains(rest, "ETag") {
			t.Errorf("%d %q", w.Code, w.Body)
		}
	})
	t.Run("nothing is written after a panic", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := httptest.NewRecorder()
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
				time.Sleep(2 * patience)
				if w.Body.Len() > 0 {
					t.Errorf("%q", w.Body)
				}
			}()
			h.patiently(w, httptest.NewRequest(http.MethodPost, "/hearth/a", nil), func() (any, error) { panic("broken") })
		})
	})
	t.Run("refused late", func(t *testing.T) {
		w := answer(patience+1, faultf(noSuchKey, "none"))
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "<Error><Code>NoSuchKey</Code>") {
			t.Errorf("%d %q", w.Code, w.Body)
		}
	})
}
