package config

import (
	"net"
	"net/netip"
	"time"

	"hearth"
)

// ConnectAddresses are where Spark Connect is to listen: at the first of these
// that can be had.
func (c Config) ConnectAddresses() []string {
	if c.ConnectListen != "" {
		return []string{c.ConnectListen}
	}
	return []string{"127.0.0.1:443", "127.0.0.1:8651", "127.0.0.1:0"}
}

// ConnectHost is the name by which Spark Connect is reached, or "" when it
// listens at all addresses of the machine.
func (c Config) ConnectHost() string {
	host, _, err := net.SplitHostPort(c.ConnectAddresses()[0])
	if ip, ipErr := netip.ParseAddr(host); err != nil || ipErr == nil && ip.IsUnspecified() {
		return ""
	}
	return host
}

func (c Config) checkConnect() error {
	if c.ConnectListen != "" {
		if _, port, err := net.SplitHostPort(c.ConnectListen); err != nil || !isPort(port) {
			return refuse("connect_listen", c.ConnectListen, "write a host and a port, like 127.0.0.1:8651")
		}
	}
	if (c.ConnectCertificate == "") != (c.ConnectKey == "") {
		return hearth.Errorf(hearth.KindInvalid, "connect_certificate and connect_key belong together: set both, or none.")
	}
	if c.ConnectMaxConnections < 1 {
		return refuse("connect_max_connections", c.ConnectMaxConnections, "a client needs one, so write at least 1")
	}
	if c.ConnectTokenTTL.Duration < time.Minute {
		return refuse("connect_token_ttl", c.ConnectTokenTTL, "a client has to be able to begin something with it, so write at least 1m")
	}
	return nil
}
