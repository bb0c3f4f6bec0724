package bench

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"path/filepath"

	"hearth"
)

// connectClient is Spark's own client: it has a session by each way and takes
// turns.
//
//go:embed peers/connect.py
var connectClient string

// What pyspark 3.5 asks for to be a client of Spark Connect, beside what engines
// have.
var connectPackages = []string{"grpcio==1.76.0", "grpcio-status==1.76.0", "googleapis-common-protos==1.72.0"}

const (
	callsARun    = 60      // small ones, each way
	collectsARun = 5       // of many rows
	collected    = 250_000 // rows of a kilobyte
)

// connect has one driver, one client process and two ways between them.
func connect(ctx context.Context, b *bench) (err error) {
	packages, err := b.packages(ctx, connectPackages)
	if err != nil {
		return err
	}
	s, session, err := b.serveSession(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	through, err := s.connectThrough(ctx, session)
	if err != nil {
		return err
	}
	direct, err := s.connectDirect(ctx, session)
	if err != nil {
		return err
	}

	type pair struct{ direct, through *Row }
	const straight = "straight to the driver"
	rows := make(map[string]pair)
	for _, m := range []struct{ name, what, unit string }{
		{"call", "Connect: one call without Spark's work (a setting)", "ms"},
		{"query", "Connect: one row collected, without a job", "ms"},
		{"collect", fmt.Sprintf("Connect: %d MB collected as Arrow", collected/1000), "MB/s"},
	} {
		rows[m.name] = pair{b.row(straight, m.what, m.unit), b.ours(m.what, m.unit)}
	}
	added := map[string]*Row{
		"call":  b.ours("Connect: added to such a call, pair by pair", "ms"),
		"query": b.ours("Connect: added to such a row collected, pair by pair", "ms"),
	}

	plan, err := json.Marshal(map[string]any{
		"ways": map[string]string{"direct": direct, "through": through}, "rows": collected,
		"turns": map[string]int{"call": callsARun * b.Runs, "query": callsARun * b.Runs, "collect": collectsARun * b.Runs},
	})
	if err != nil {
		return err
	}
	command := exec.CommandContext(ctx, b.engine.Python.Program, "-c", connectClient, string(plan))
	command.Env = append(b.pysparkEnvironment(), "PYTHONPATH="+packages, "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH="+filepath.Join(s.data, "roots.pem"))
	if err := eachLine(command, func(line []byte) error {
		var turn struct {
			Name            string
			Direct, Through float64
		}
		if err := json.Unmarshal(line, &turn); err != nil {
			return err
		}
		rows[turn.Name].direct.add(turn.Direct)
		rows[turn.Name].through.add(turn.Through)
		if r := added[turn.Name]; r != nil {
			r.add(turn.Through - turn.Direct)
		}
		return nil
	}); err != nil {
		return err
	}
	for _, p := range rows {
		p.through.over(p.direct)
	}
	for _, r := range added {
		r.goal(r.Median <= 2, "≤ 2 ms")
	}
	collect := rows["collect"]
	collect.through.goal(collect.through.Median >= 0.8*collect.direct.Median, "≥ 0.8 × straight")
	return nil
}

// connectThrough gives the way of a user's client.
func (s *server) connectThrough(ctx context.Context, session string) (string, error) {
	var endpoint struct{ EndpointUrl, AuthToken string }
	if err := s.call(ctx, "GetSessionEndpoint", "", map[string]any{"SessionId": session}, &endpoint); err != nil {
		return "", err
	}
	u, err := url.Parse(endpoint.EndpointUrl)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("sc://%s/;use_ssl=true;x-aws-proxy-auth=%s", u.Host, endpoint.AuthToken), nil
}

// connectDirect gives the driver's own address, with the secret that it asks for.
func (s *server) connectDirect(ctx context.Context, session string) (string, error) {
	driver, adoption, err := s.drivers().Recover(ctx, session)
	if err != nil {
		return "", err
	}
	if adoption != hearth.Alive {
		return "", fmt.Errorf("the driver of session %s: %s", session, adoption)
	}
	endpoint, err := driver.Connect(ctx)
	return fmt.Sprintf("sc://%s/;%s=%s", endpoint.Address, hearth.ConnectSecretKey, endpoint.Secret), err
}
