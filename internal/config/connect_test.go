package config_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/internal/config"
)

func TestConnect(t *testing.T) {
	for name, c := range map[string]struct {
		listen    string
		addresses []string
		host      string
	}{
		"by itself":              {"", []string{"127.0.0.1:443", "127.0.0.1:8651", "127.0.0.1:0"}, "127.0.0.1"},
		"at an address":          {"[::1]:8443", []string{"[::1]:8443"}, "::1"},
		"at a name":              {"spark.example:443", []string{"spark.example:443"}, "spark.example"},
		"everywhere":             {":443", []string{":443"}, ""},
		"at all addresses":       {"0.0.0.0:443", []string{"0.0.0.0:443"}, ""},
		"at all of the new ones": {"[::]:443", []string{"[::]:443"}, ""},
	} {
		t.Run("listens "+name, func(t *testing.T) {
			settings := config.Default()
			settings.ConnectListen = c.listen
			if got := settings.ConnectAddresses(); !slices.Equal(got, c.addresses) {
				t.Errorf("at %q", got)
			}
			if got := settings.ConnectHost(); got != c.host {
				t.Errorf("as %q", got)
			}
			if err := settings.Check(); err != nil {
				t.Error(err)
			}
		})
	}
	for name, c := range map[string]struct {
		change func(*config.Config)
		says   string
	}{
		"an address without a port":     {func(c *config.Config) { c.ConnectListen = "localhost" }, "connect_listen"},
		"an impossible port":            {func(c *config.Config) { c.ConnectListen = "localhost:70000" }, "connect_listen"},
		"a certificate without its key": {func(c *config.Config) { c.ConnectCertificate = "a.pem" }, "belong together"},
		"a key without its certificate": {func(c *config.Config) { c.ConnectKey = "a.key" }, "belong together"},
		"no connections":                {func(c *config.Config) { c.ConnectMaxConnections = 0 }, "connect_max_connections"},
		"tokens of a moment":            {func(c *config.Config) { c.ConnectTokenTTL.Duration = time.Second }, "connect_token_ttl"},
	} {
		t.Run("refuses "+name, func(t *testing.T) {
			settings := config.Default()
			c.change(&settings)
			if err := settings.Check(); hearth.KindOf(err) != hearth.KindInvalid || !strings.Contains(hearth.MessageOf(err), c.says) {
				t.Errorf("error %v", err)
			}
		})
	}
}
