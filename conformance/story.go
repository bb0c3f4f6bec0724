package conformance

import (
	"testing"

	"hearth/internal/testenv"
)

// Story is a test of what people do with a server and its sessions.
type Story struct {
	Name string
	// Tell has a client of a server that other stories use meanwhile. A story that
	// restarts servers, or has them set up in another way, starts its own.
	Tell func(*testing.T, *Client)

	// Only is the engine that the story is told on, and Because why it is not told
	// on the others. A story without them is told on each.
	Only    Engine
	Because string
}

// Tell tells stories of sessions on an engine, as many at a time as there are
// processors: a driver's start keeps both cores of a small machine busy.
func Tell(t *testing.T, engine Engine, stories []Story) {
	t.Helper()
	server := serveIn(t, engine, t.TempDir(), testenv.Binary(t))
	server.makeWorkGroup()
	for _, story := range stories {
		if story.Because != "" && story.Only != engine {
			t.Logf("%q is not told on Spark %s: %s", story.Name, engine.Spark, story.Because)
			continue
		}
		t.Run(story.Name, func(t *testing.T) {
			t.Parallel()
			story.Tell(t, server.In(t))
		})
	}
}
