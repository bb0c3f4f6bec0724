package sqlite

import (
	"database/sql"
	"sync"
	"testing"

	"hearth"
)

// later are the migrations of a Hearth to come.
func later(text string) []migration {
	return append(migrations(), migration{name: "9999_later.sql", text: text})
}

func taken(t *testing.T, db *sql.DB) []string {
	t.Helper()
	rows, err := db.Query("SELECT name FROM migrations ORDER BY name")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	err = eachRow(rows, func(r row) error {
		var name string
		err := r.Scan(&name)
		names = append(names, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestMigrate(t *testing.T) {
	t.Run("an older database is brought up to date and keeps what it has", func(t *testing.T) {
		path := database(t)
		store := mustOpen(t, path)
		session := newSession(t, store)
		closed(t, store)

		store, err := open(path, later("ALTER TABLE sessions ADD COLUMN colour TEXT; UPDATE sessions SET colour = 'red'"), busyTimeout)
		if err != nil {
			t.Fatal(err)
		}
		defer closed(t, store)
		if _, err := store.Session(t.Context(), session.ID); err != nil {
			t.Error(err)
		}
		var colour string
		if err := store.read.QueryRow("SELECT colour FROM sessions").Scan(&colour); err != nil || colour != "red" {
			t.Errorf("got %q, %v", colour, err)
		}
	})

	t.Run("workgroups and sessions of the first schema are read as they were", func(t *testing.T) {
		path := database(t)
		if _, err := create(path); err != nil {
			t.Fatal(err)
		}
		db := raw(t, path)
		if err := migrate(t.Context(), db, migrations()[:1], path); err != nil {
			t.Fatal(err)
		}
		_, err := db.Exec(`
			INSERT INTO work_groups VALUES ('primary', '', 1, 1, 'engine', 'engine',
				'{"ExecutionRole":"role","OutputLocation":"s3://hearth/","Encryption":null,"EngineConfiguration":null,"EnforceConfiguration":true,"PublishMetrics":true}');
			INSERT INTO sessions VALUES (1, 'id', 'primary', '', '', 'engine', 'engine', '{}', '', '', '', 0, NULL, 'IDLE', '', 1, 1, NULL, 1, 0, NULL, 0, 0, NULL, NULL, NULL)`)
		if err != nil {
			t.Fatal(err)
		}
		store := mustOpen(t, path)
		defer closed(t, store)
		group, err := store.WorkGroup(t.Context(), "primary")
		if err != nil || group.ExecutionRole != "role" || !group.PublishMetrics || group.Tags != nil || group.Monitoring != nil || group.Revision != 0 {
			t.Errorf("workgroup %+v, %v", group, err)
		}
		session, err := store.Session(t.Context(), "id")
		if err != nil || session.State != hearth.SessionIdle || session.Tags != nil || session.Monitoring != nil {
			t.Errorf("session %+v, %v", session, err)
		}
	})

	t.Run("a newer database is refused and left alone", func(t *testing.T) {
		path := database(t)
		store, err := open(path, later("CREATE TABLE later (x)"), busyTimeout)
		if err != nil {
			t.Fatal(err)
		}
		closed(t, store)
		_, err = Open(path)
		unavailable(t, err, path, "newer version", "9999_later.sql", "none after "+last(migrations()), "data directory")
		if names := taken(t, raw(t, path)); len(names) != len(migrations())+1 {
			t.Errorf("migrations are %v", names)
		}
	})

	t.Run("a database of another build is refused", func(t *testing.T) {
		path := database(t)
		other := migrations()
		other[0].text += "\n-- edited"
		store, err := open(path, other, busyTimeout)
		if err != nil {
			t.Fatal(err)
		}
		closed(t, store)
		_, err = Open(path)
		unavailable(t, err, path, "another build", other[0].name)
	})

	t.Run("a step that fails leaves nothing of itself", func(t *testing.T) {
		path := database(t)
		_, err := open(path, later("CREATE TABLE half (x); INSERT INTO absent VALUES (1)"), busyTimeout)
		if hearth.KindOf(err) != hearth.KindInternal {
			t.Errorf("error %v", err)
		}
		store := mustOpen(t, path)
		defer closed(t, store)
		var tables int
		if err := store.read.QueryRow("SELECT count(*) FROM sqlite_schema WHERE name = 'half'").Scan(&tables); err != nil || tables != 0 {
			t.Errorf("%d tables, %v", tables, err)
		}
	})

	t.Run("several servers that start at once take each step once", func(t *testing.T) {
		path := database(t)
		if store, err := open(path, nil, busyTimeout); err == nil { // makes the file, and finds no tables in it
			closed(t, store)
			t.Fatal("a database without a schema was opened")
		}
		stores := make([]*Store, 4)
		errs := make([]error, len(stores))
		var starting sync.WaitGroup
		for i := range stores {
			starting.Go(func() { stores[i], errs[i] = Open(path) })
		}
		starting.Wait()
		for i, err := range errs {
			if err != nil {
				t.Fatal(err)
			}
			defer closed(t, stores[i])
		}
		if names := taken(t, stores[0].read); len(names) != len(migrations()) {
			t.Errorf("migrations are %v", names)
		}
	})
}
