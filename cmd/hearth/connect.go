package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"

	"hearth/internal/athena"
	"hearth/internal/authority"
	"hearth/internal/certificate"
	"hearth/internal/config"
	"hearth/internal/connect"
	"hearth/internal/httpd"
)

// listenConnect takes the address of Spark Connect.
func (s *server) listenConnect() (*connect.Server, error) {
	certificate, err := s.connectCertificate()
	if err != nil {
		return nil, err
	}
	return connect.Listen(connect.Config{
		Addresses:   s.settings.ConnectAddresses(),
		Certificate: certificate,

		MaxConnections: s.settings.ConnectMaxConnections,

		Sessions: s.sessions,
		Keys:     s.keys,
		Log:      s.log,
	})
}

// connectCertificate gives what Spark Connect is served with: the user's, or one
// of the data directory's authority, whose roots are written for clients then.
func (s *server) connectCertificate() (func(*tls.ClientHelloInfo) (*tls.Certificate, error), error) {
	if s.settings.ConnectCertificate != "" {
		return certificateOf(s.settings.ConnectCertificate, s.settings.ConnectKey, s.log)
	}
	a, err := authority.Open(s.settings.Data)
	if err != nil {
		return nil, err
	}
	if _, err := a.Roots(); err != nil {
		return nil, err
	}
	return a.Certificate(connectHosts(s.settings)...), nil
}

// certificateOf serves with files of the user's, and gives nil when there are none.
func certificateOf(file, key string, log *slog.Logger) (func(*tls.ClientHelloInfo) (*tls.Certificate, error), error) {
	if file == "" {
		return nil, nil
	}
	files, err := certificate.Open(file, key, log)
	if err != nil {
		return nil, err
	}
	return files.Get, nil
}

// connectHosts are the names and addresses by which this machine may be reached.
func connectHosts(settings config.Config) []string {
	hosts := []string{"localhost", "127.0.0.1", "::1", settings.ConnectHost()}
	if name, err := os.Hostname(); err == nil {
		hosts = append(hosts, name)
	}
	if settings.ConnectHost() != "" {
		return hosts
	}
	addresses, _ := net.InterfaceAddrs() // without them, names are left
	for _, address := range addresses {
		if network, ok := address.(*net.IPNet); ok {
			hosts = append(hosts, network.IP.String())
		}
	}
	return hosts
}

// trustedRoots gives the file of certificates that gRPC is to trust.
func trustedRoots(settings config.Config) (string, error) {
	a, err := authority.Open(settings.Data)
	if err != nil {
		return "", err
	}
	return a.Roots()
}

// endpointURL is where whoever sent a request reaches Spark Connect. A server
// that listens at all addresses is reached there as it was for the request.
func (s *server) endpointURL(ctx context.Context) string {
	host := s.settings.ConnectHost()
	if asked, err := url.Parse(httpd.AddressFrom(ctx)); host == "" && err == nil {
		host = asked.Hostname()
	}
	_, port, _ := net.SplitHostPort(s.connect.Address())
	return "https://" + strings.TrimSuffix(net.JoinHostPort(host, port), ":443")
}

// tellConnect logs where Spark Connect is, and why not where it had better be.
func (s *server) tellConnect() {
	attributes := []any{"address", s.connect.Address()}
	if why := errors.Join(s.connect.Refusals()...); why != nil {
		attributes = append(attributes, "because", why)
	}
	s.log.Info("listening for Spark Connect", attributes...)
}

type connectCommand struct {
	ID string `arg:"" name:"session" help:"Id of the session."`
}

// Help is kong's long help.
func (connectCommand) Help() string {
	return `Spark Connect clients take the address as their remote:

  eval "$(hearth env)"
  export SPARK_REMOTE="$(hearth connect SESSION)"

It begins operations for half an hour, unless the server is told otherwise, for whoever has it, and
opens this session only. The session may still be starting: who connects waits.`
}

// Run prints the address.
func (c *connectCommand) Run(m *Main, g *globals) error {
	return m.ask(g, func(ctx context.Context, client *client) error {
		var endpoint athena.GetSessionEndpointResponse
		raw, err := client.call(ctx, "GetSessionEndpoint", athena.GetSessionEndpointRequest{SessionID: &c.ID}, &endpoint)
		if err != nil {
			return err
		}
		if g.json() {
			return printJSON(m.Stdout, raw)
		}
		remote, err := remoteOf(value(endpoint.EndpointURL), value(endpoint.AuthToken))
		if err != nil {
			return err
		}
		fmt.Fprintf(m.Stderr, "Connect to this address until %s. Whoever has it can use the session.\n", shown(endpoint.AuthTokenExpirationTime.Time))
		_, err = fmt.Fprintln(m.Stdout, remote)
		return err
	})
}

// remoteOf is an endpoint in the form that Spark Connect clients take.
func remoteOf(endpoint, token string) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return "", fmt.Errorf("the server gave the endpoint %q, which is no URL", endpoint)
	}
	host := u.Host
	if u.Port() == "" {
		host += ":443"
	}
	return "sc://" + host + "/;use_ssl=true;x-aws-proxy-auth=" + token, nil
}
