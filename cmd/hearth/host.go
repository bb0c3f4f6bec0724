package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"hearth"
	"hearth/internal/config"
	"hearth/internal/spark"
)

// host is the server of a run: the one that serves the data directory, or one
// inside this process where there is none.
//
// Two runs at once share the server of the first. When the first has ended,
// its server leaves, and the session of the other goes on without a server, as
// sessions do. The other run finds that nobody answers, becomes the server
// itself and takes its session up.
type host struct {
	main     *Main
	settings config.Config
	at       home
	client   *client

	last serverRecord // of the server that answered last
	told string       // what we wait for, as it was shown

	embedded *server
	leave    context.CancelFunc // makes the embedded server leave
	left     chan error         // how it did
}

// Waiting for a server that starts, leaves or is being restarted.
const (
	hostPatience = 30 * time.Second
	hostInterval = 50 * time.Millisecond
)

// openHost prepares to find the server, or to become it, at the first request.
func openHost(m *Main, g *globals) (*host, error) {
	settings, err := g.settings()
	if err != nil {
		return nil, err
	}
	h := &host{main: m, settings: settings, at: home(settings.Data)}
	if err := h.at.make(); err != nil {
		return nil, err
	}
	h.client, err = newClient(g, settings)
	if err == nil && g.Endpoint == "" {
		h.client.locate = h.locate
	}
	return h, err
}

// close lets the embedded server leave. Sessions go on.
func (h *host) close() {
	if h.embedded != nil {
		h.leave()
		<-h.left
	}
}

// locate finds the server or becomes it.
func (h *host) locate(ctx context.Context) (string, error) {
	again := time.NewTicker(hostInterval)
	defer again.Stop()
	patience := time.Now().Add(hostPatience)
	for {
		record, waiting, err := findServer(ctx, h.at)
		switch {
		case err == nil && waiting == "":
			h.last = record
			return record.Address, nil
		case err == nil:
			h.tell(fmt.Sprintf("The server (process %d) is getting ready: %s", record.PID, waiting))
			patience = time.Now().Add(hostPatience)
		case ctx.Err() != nil:
			return "", ctx.Err()
		case !errors.Is(err, errNoServer):
			return "", err
		case h.last.PID != 0 && !h.last.Embedded && time.Now().Before(patience):
			h.tell("The server does not answer. Waiting for it to come back.")
		case h.embedded == nil:
			err = h.embed()
			if _, held := errors.AsType[heldError](err); err != nil && !held {
				return "", err
			}
		}
		if err != nil && time.Now().After(patience) {
			return "", err
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case err := <-h.left:
			h.left <- err // for close
			return "", err
		case <-again.C:
		}
	}
}

// embed becomes the server.
func (h *host) embed() error {
	log, err := os.OpenFile(h.at.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return hearth.Errorf(hearth.KindUnavailable, "The server's log cannot be written: %w.", err)
	}
	settings := h.settings
	settings.Listen, settings.ConnectListen = "127.0.0.1:0", "127.0.0.1:0"
	server, err := newServer(settings, serverOptions{
		Embedded: true,
		Log:      slog.New(slog.NewTextHandler(log, nil)),
		Progress: spark.TerminalProgress(h.main.Stderr),
	})
	if err != nil {
		log.Close()
		return err
	}
	ctx, leave := context.WithCancel(context.Background())
	h.embedded, h.leave, h.left = server, leave, make(chan error, 1)
	go func() {
		defer log.Close()
		h.left <- errors.Join(server.Run(ctx), server.Close())
	}()
	return nil
}

// tell shows what we wait for, once; the progress of our own server shows itself.
func (h *host) tell(what string) {
	if h.embedded == nil && h.told != what {
		h.told = what
		fmt.Fprintln(h.main.Stderr, what)
	}
}
