package bench

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os/exec"
)

// startBare serves, in a process of its own, the least that a JSON service in
// Go can do.
func (b *bench) startBare(ctx context.Context) (*process, string, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, "", err
	}
	p, err := begin(exec.Command(b.Binary, "bench", "--bare-server", address))
	if err != nil {
		return nil, "", err
	}
	url := "http://" + address
	if err := p.await(ctx, url); err != nil {
		return nil, "", errors.Join(err, p.end())
	}
	return p, url, nil
}

// bareAnswer has the members and the size of a GetSessionStatus answer.
type bareAnswer struct {
	SessionID string `json:"SessionId"`
	Status    struct {
		State                                          string
		StartDateTime, LastModifiedDateTime, IdleSince float64
	}
}

// Bare answers like GetSessionStatus, and looks at nothing: what polls are held
// against, here and in the benchmark of cmd/hearth.
var Bare = http.HandlerFunc(answerBarely)

// ServeBare serves Bare until ctx is done.
func ServeBare(ctx context.Context, address string) error {
	server := &http.Server{Addr: address, Handler: Bare}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func answerBarely(w http.ResponseWriter, r *http.Request) {
	var asked struct{ SessionID string }
	if r.Method == http.MethodPost {
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	answer := bareAnswer{SessionID: asked.SessionID}
	answer.Status.State = "IDLE"
	answer.Status.StartDateTime, answer.Status.LastModifiedDateTime, answer.Status.IdleSince = 1700000000.123, 1700000000.456, 1700000000.456
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	text, err := json.Marshal(answer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(text) // or the client has left
}
