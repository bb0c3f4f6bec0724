package main

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"hearth/internal/config"
)

type envCommand struct{}

// Help is kong's long help.
func (envCommand) Help() string {
	return `Prints what makes AWS SDKs and the AWS CLI speak to this server, and Spark Connect clients trust it:

  eval "$(hearth env)"
  aws athena list-sessions --work-group primary

The key is the root key of the data directory: whoever has it may do everything. The server need not
run; the address is then where it would listen.`
}

// variable is one of an AWS client's environment variables.
type variable struct{ name, value string }

const endpointS3 = "AWS_ENDPOINT_URL_S3"

// notOurs are variables that would lead an AWS client elsewhere.
var notOurs = []string{"AWS_SESSION_TOKEN", "AWS_PROFILE"}

// Run prints the exports.
func (envCommand) Run(m *Main, g *globals) error {
	settings, err := g.settings()
	if err != nil {
		return err
	}
	c, err := newClient(g, settings)
	if err != nil {
		return err
	}
	ctx, cancel := m.interruptible()
	defer cancel()
	address := clientURL(settings)
	if g.Endpoint != "" {
		address = g.Endpoint
	} else if record, _, err := findServer(ctx, home(settings.Data)); err == nil && !record.Embedded {
		address = record.Address
	}
	variables := []variable{
		{"AWS_ENDPOINT_URL_ATHENA", address},
		{endpointS3, address},
		{"AWS_ACCESS_KEY_ID", c.keys.AccessKeyID},
		{"AWS_SECRET_ACCESS_KEY", c.keys.SecretAccessKey},
		{"AWS_REGION", c.region},
		{"AWS_DEFAULT_REGION", c.region},
	}
	if g.Endpoint == "" && settings.ConnectCertificate == "" {
		roots, err := trustedRoots(settings)
		if err != nil {
			return err
		}
		variables = append(variables, variable{"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", roots})
	}
	unset := notOurs
	if settings.BucketStores().All() { // no object is here to be read
		variables = slices.DeleteFunc(variables, func(v variable) bool { return v.name == endpointS3 })
		unset = append([]string{endpointS3}, notOurs...)
	}
	if g.json() {
		values := make(map[string]string)
		for _, v := range variables {
			values[v.name] = v.value
		}
		return printJSON(m.Stdout, values)
	}
	for _, v := range variables {
		fmt.Fprintf(m.Stdout, "export %s=%s\n", v.name, quoted(v.value))
	}
	_, err = fmt.Fprintln(m.Stdout, "unset", strings.Join(unset, " "))
	return err
}

// clientURL is where clients on this machine will find a server with these
// settings.
func clientURL(settings config.Config) string {
	scheme := "http://"
	if settings.TLSCertificate != "" {
		scheme = "https://"
	}
	host, port, err := net.SplitHostPort(settings.Listen)
	if err != nil {
		return scheme + settings.Listen
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1" // it listens at all addresses
	}
	return scheme + net.JoinHostPort(host, port)
}

// quoted makes a shell take a value as it is.
func quoted(value string) string {
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}
