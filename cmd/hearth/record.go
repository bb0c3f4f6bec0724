package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"time"

	"hearth/internal/httpd"
)

// serverRecord tells where the server of a data directory listens. The server
// writes it when it listens and removes it when it leaves.
type serverRecord struct {
	Address  string    `json:"address"`  // http://127.0.0.1:8650
	Identity string    `json:"identity"` // /ok answers it: the address may be another server's by now
	PID      int       `json:"pid"`
	Started  time.Time `json:"started"`
	Embedded bool      `json:"embedded"` // part of a hearth run, and leaves with it
}

// write replaces the record wholly, so that nobody reads half of it.
func (r serverRecord) write(at home) error {
	content, err := json.Marshal(r)
	if err != nil {
		return err
	}
	aside := at.recordFile() + ".new"
	if err := os.WriteFile(aside, content, 0o600); err != nil {
		return err
	}
	return os.Rename(aside, at.recordFile())
}

// errNoServer says that no server answers for a data directory.
var errNoServer = errors.New("no server answers")

// findServer finds the server of a data directory and proves that it answers.
// It returns errNoServer where there is none. waiting says what a server that
// is not ready yet waits for.
func findServer(ctx context.Context, at home) (record serverRecord, waiting string, err error) {
	content, err := os.ReadFile(at.recordFile())
	if errors.Is(err, fs.ErrNotExist) {
		return record, "", errNoServer
	}
	if err != nil {
		return record, "", err
	}
	if err := json.Unmarshal(content, &record); err != nil { // cut short when the machine lost its power
		return record, "", fmt.Errorf("%w: %s: %w", errNoServer, at.recordFile(), err)
	}
	waiting, err = record.ask(ctx)
	return record, waiting, err
}

// ask asks the server whether it is the one of the record, and ready.
func (r serverRecord) ask(ctx context.Context) (waiting string, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.Address+"/ok", nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errNoServer, err)
	}
	defer response.Body.Close()
	if response.Header.Get(httpd.IdentityHeader) != r.Identity {
		return "", fmt.Errorf("%w: another server has taken %s", errNoServer, r.Address)
	}
	if response.StatusCode == http.StatusOK {
		return "", nil
	}
	reason, err := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	return strings.TrimSpace(string(reason)), err
}
