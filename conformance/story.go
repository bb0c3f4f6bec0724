package conformance

import (
	"testing"

	"hearth/internal/testenv"
)

// Story is a test of what people do with a server.
type Story struct {
	Name string
	Tell func(*testing.T, *Client)
}

// OwnServer is a story of servers that it starts itself, because it restarts
// them or they are set up in another way.
type OwnServer struct {
	Name string
	Tell func(t *testing.T, binary string)
}

// Tell tells stories of one server, and after them those that bring their own,
// as many at a time as there are processors: a driver's start keeps both cores
// of a small machine busy.
func Tell(t *testing.T, stories []Story, own []OwnServer) {
	t.Helper()
	binary := testenv.Binary(t)
	if len(stories) > 0 {
		server := Connect(t, testenv.Serve(t, binary))
		for _, story := range stories {
			t.Run(story.Name, func(t *testing.T) {
				t.Parallel()
				story.Tell(t, server.In(t))
			})
		}
	}
	for _, story := range own {
		t.Run(story.Name, func(t *testing.T) {
			t.Parallel()
			story.Tell(t, binary)
		})
	}
}
