package bench

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"hearth/internal/sigv4"
)

// peer gives a program that peers/setup.sh has installed. Where it is not, that
// is noted.
func (b *bench) peer(name, program string) (path string, installed bool) {
	path = filepath.Join(b.Peers, program)
	if _, err := os.Stat(path); b.Peers == "" || err != nil {
		b.note("%s is not installed, and not measured", name)
		return "", false
	}
	return path, true
}

// versionIn puts into the report which version of something is installed: in the
// directory that a pattern is of, its name has the version between the thing's and
// an ending. What is not found so is left out.
func (b *bench) versionIn(name, pattern, ending string) {
	found, err := filepath.Glob(filepath.Join(pattern, name+"-*"+ending))
	if err == nil && len(found) == 1 {
		version := strings.TrimPrefix(filepath.Base(found[0]), name+"-")
		b.report.Versions[name] = strings.TrimSuffix(version, ending)
	}
}

// startMoto serves moto. It gives no process where moto is not installed.
func (b *bench) startMoto(ctx context.Context) (*process, string, error) {
	program, installed := b.peer("moto", "moto/bin/moto_server")
	if !installed {
		return nil, "", nil
	}
	b.versionIn("moto", filepath.Join(b.Peers, "moto/lib/python3*/site-packages"), ".dist-info")
	address, err := freeAddress()
	if err != nil {
		return nil, "", err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, "", err
	}
	p, err := begin(exec.Command(program, "-H", "127.0.0.1", "-p", port))
	if err != nil {
		return nil, "", err
	}
	url := "http://" + address
	if err := p.await(ctx, url+"/"); err != nil {
		return nil, "", errors.Join(fmt.Errorf("moto: %w", err), p.end())
	}
	return p, url, nil
}

// motoRequest asks moto for a workgroup: it has no session operations.
func motoRequest(ctx context.Context) (*http.Request, []byte, error) {
	body := []byte(`{"WorkGroup":"primary"}`)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://127.0.0.1/", nil)
	if err != nil {
		return nil, nil, err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "AmazonAthena.GetWorkGroup")
	sigv4.Sign(r, body, sigv4.Credentials{AccessKeyID: "testing", SecretAccessKey: "testing"}, region, "athena", time.Now())
	return r, body, nil
}

// startVersitygw serves a folder of the scratch directory. It gives no server
// where versitygw is not installed.
func (b *bench) startVersitygw(ctx context.Context) (*server, error) {
	program, installed := b.peer("versitygw", "bin/versitygw")
	if !installed {
		return nil, nil
	}
	if built, err := buildinfo.ReadFile(program); err == nil {
		b.report.Versions["versitygw"] = built.Main.Version
	}
	data, err := os.MkdirTemp(b.scratch, "versitygw-")
	if err != nil {
		return nil, err
	}
	buckets, users := filepath.Join(data, "buckets"), filepath.Join(data, "users")
	if err := errors.Join(os.Mkdir(buckets, 0o700), os.Mkdir(users, 0o700)); err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	keys := sigv4.Credentials{AccessKeyID: "benchmark", SecretAccessKey: "benchmark"}
	command := exec.Command(program, "--access", keys.AccessKeyID, "--secret", keys.SecretAccessKey,
		"--port", address, "--iam-dir", users, "--health", "/ok", "posix", buckets)
	log, err := os.Create(filepath.Join(data, "log")) // a line for each request, as hearth writes
	if err != nil {
		return nil, err
	}
	defer log.Close()
	command.Stdout, command.Stderr = log, log
	p, err := begin(command)
	if err != nil {
		return nil, err
	}
	s := &server{address: "http://" + address, data: data, keys: keys, client: http.DefaultClient, process: p}
	if err := p.await(ctx, s.address+"/ok"); err != nil {
		return nil, errors.Join(fmt.Errorf("versitygw: %w", err), s.close())
	}
	return s, nil
}
