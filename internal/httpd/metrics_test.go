package httpd_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"hearth/internal/httpd"
)

func TestMetrics(t *testing.T) {
	s := open(t, func(c *httpd.Config) {
		c.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "figures") })
	})
	t.Run("are for whoever asks", func(t *testing.T) {
		if response, body := s.send(t, s.request(t, "GET", "/metrics", "")); response.StatusCode != http.StatusOK || body != "figures" {
			t.Errorf("%d, %q", response.StatusCode, body)
		}
	})
	t.Run("are nobody's where there are none", func(t *testing.T) {
		s := open(t, nil)
		if response, _ := s.send(t, s.request(t, "GET", "/metrics", "")); response.StatusCode != http.StatusForbidden {
			t.Error(response.Status)
		}
	})
	t.Run("are not in the way of a bucket of that name", func(t *testing.T) {
		if _, body := s.signed(t, "s3", "GET", "/metrics", ""); !strings.Contains(body, " GET /metrics ") {
			t.Errorf("a signed request is answered with %q", body)
		}
		for _, path := range []string{"/metrics/object", "/metrics?list-type=2", "/metrics/"} {
			if response, _ := s.send(t, s.request(t, "GET", path, "")); response.StatusCode != http.StatusForbidden {
				t.Errorf("%s is answered with %d", path, response.StatusCode)
			}
		}
	})
}
