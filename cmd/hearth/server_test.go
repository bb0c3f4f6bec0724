package main

import (
	"errors"
	"log/slog"
	"testing"

	"hearth/internal/config"
)

func TestNewServer(t *testing.T) {
	settings := config.Default()
	settings.Data, settings.Engines, settings.Listen = t.TempDir(), t.TempDir(), "127.0.0.1:0"
	options := serverOptions{Log: slog.New(slog.DiscardHandler)}

	t.Run("one server at a time has a data directory", func(t *testing.T) {
		first, err := newServer(settings, options)
		if err != nil {
			t.Fatal(err)
		}
		_, err = newServer(settings, options)
		if held, ok := errors.AsType[heldError](err); !ok || held.dir != settings.Data {
			t.Errorf("while the first has it: %v", err)
		}
		if err := first.Close(); err != nil {
			t.Error(err)
		}
		second, err := newServer(settings, options)
		if err != nil {
			t.Fatalf("after the first: %v", err)
		}
		if err := second.Close(); err != nil {
			t.Error(err)
		}
	})
}
