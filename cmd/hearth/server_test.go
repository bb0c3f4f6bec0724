package main

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"hearth"
	"hearth/internal/config"
	"hearth/internal/spark"
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

func TestNewServer_Throttle(t *testing.T) {
	settings := config.Default()
	settings.Data, settings.Engines, settings.Listen = t.TempDir(), t.TempDir(), "127.0.0.1:0"
	for _, name := range []string{"StartSesion", "StartQueryExecution"} {
		settings.Throttle.Operations = map[string]config.Limit{"StartSession": {Rate: 1}, name: {Rate: 1}}
		_, err := newServer(settings, serverOptions{Log: slog.New(slog.DiscardHandler)})
		if hearth.KindOf(err) != hearth.KindInvalid || !strings.Contains(hearth.MessageOf(err), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestServer_historyServer(t *testing.T) {
	s := &server{engines: spark.Engines{Dir: t.TempDir()}}
	for engine, install := range map[string]string{
		hearth.EnginePySpark3: "`hearth engines install`", hearth.EngineSpark35: "`hearth engines install`", hearth.EngineSpark41: "`hearth engines install 4.1.2`",
	} {
		t.Run("names the engine that is not there any more: "+engine, func(t *testing.T) {
			_, err := s.historyServer(hearth.Session{ID: "one", Engine: hearth.EngineVersion{Effective: engine}}, t.TempDir())
			if hearth.KindOf(err) != hearth.KindUnavailable || !strings.Contains(hearth.MessageOf(err), "Session one") || !strings.Contains(hearth.MessageOf(err), install) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestServer_ensureWorkGroups(t *testing.T) {
	settings := config.Default()
	settings.Data, settings.Engines, settings.Listen = t.TempDir(), t.TempDir(), "127.0.0.1:0"
	s, err := newServer(settings, serverOptions{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	names := func() (names []string) {
		t.Helper()
		if err := s.ensureWorkGroups(t.Context()); err != nil {
			t.Fatal(err)
		}
		groups, _, err := s.sessions.WorkGroups(t.Context(), hearth.Page{Limit: 10})
		if err != nil {
			t.Fatal(err)
		}
		for _, group := range groups {
			names = append(names, group.Name)
		}
		return names
	}
	if got := names(); !slices.Equal(got, []string{hearth.WorkGroupPrimary, hearth.WorkGroupSpark35}) {
		t.Errorf("a first start made %v", got)
	}
	if err := s.sessions.DeleteWorkGroup(t.Context(), hearth.WorkGroupSpark35, false); err != nil {
		t.Fatal(err)
	}
	if got := names(); !slices.Equal(got, []string{hearth.WorkGroupPrimary}) {
		t.Errorf("a later start has %v", got)
	}
}
