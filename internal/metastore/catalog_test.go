package metastore

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"hearth"
)

// The test binary is also a driver's process that writes until it is killed.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "writer" {
		write(os.Args[2], os.Args[3])
	}
	goleak.VerifyTestMain(m)
}

// local are files on this machine, without a driver.
type local struct{}

func path(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		panic(err)
	}
	return u.Path
}

func (local) Make(_ context.Context, at string) error   { return os.MkdirAll(path(at), 0o700) }
func (local) Delete(_ context.Context, at string) error { return os.RemoveAll(path(at)) }
func (local) Rename(_ context.Context, from, to string) error {
	if _, err := os.Stat(path(to)); err == nil {
		return errors.New("it is there")
	}
	return os.Rename(path(from), path(to))
}

// driver is a catalog as one driver has it, and a directory for tables.
type driver struct {
	*catalog
	t    testing.TB
	home string
}

func file(t testing.TB) string {
	at := filepath.Join(t.TempDir(), "catalog.db")
	if err := Create(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	return at
}

func newDriver(t testing.TB, at string) driver {
	db, err := open(at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return driver{&catalog{db: db, files: local{}}, t, filepath.Dir(at)}
}

// call calls a method by its arguments in their order.
func (d driver) call(name string, arguments ...any) (*structure, error) {
	a := &structure{}
	for i, argument := range arguments {
		a.set(int16(i+1), argument)
	}
	reply := d.answer(context.Background(), call{method: name, arguments: a}, slog.New(slog.DiscardHandler))
	r := &reader{rest: reply}
	kind := uint32(r.i32()) & 0xff
	r.text()
	r.i32()
	result := r.structure()
	if r.err != nil {
		return nil, r.err
	}
	if kind == messageException {
		return nil, errors.New(result.text(1))
	}
	for i, exception := range methods[name].throws {
		if e := result.sub(int16(i + 1)); e != nil {
			return nil, &exceptionOf{exception, e.text(1)}
		}
	}
	return result, nil
}

type exceptionOf struct{ kind, text string }

func (e *exceptionOf) Error() string { return e.kind + ": " + e.text }

// must gives the result of a call that has to succeed.
func (d driver) must(name string, arguments ...any) *structure {
	d.t.Helper()
	result, err := d.call(name, arguments...)
	if err != nil {
		d.t.Fatalf("%s: %v", name, err)
	}
	return result
}

// refuses checks that a call is refused with an exception.
func (d driver) refuses(kind, name string, arguments ...any) {
	d.t.Helper()
	_, err := d.call(name, arguments...)
	if e, ok := errors.AsType[*exceptionOf](err); !ok || e.kind != kind {
		d.t.Errorf("%s gives %v, not a %s", name, err, kind)
	}
}

func (d driver) uri(name string) string { return "file:" + filepath.Join(d.home, name) }

func (d driver) database(name string) *structure {
	return build(databaseName, name, databaseLocation, d.uri(name+".db"))
}

// newTable is a table as a client describes it, with keys for partitions.
func (d driver) newTable(database, name string, keys ...string) *structure {
	columns := []*structure{}
	for _, key := range keys {
		columns = append(columns, build(columnName, key, columnType, "string"))
	}
	return build(tableName, name, tableDatabase, database, tableType, managedTable, tableKeys, structList(columns),
		tableStorage, build(storageLocation, d.uri(database+".db/"+name)), 99, "a field of a later Hive")
}

func (d driver) exists(name string) bool {
	_, err := os.Stat(filepath.Join(d.home, name))
	return err == nil
}

func (d driver) same(what string, got, want any) {
	d.t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		d.t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func partitionOf(database, table string, values ...string) *structure {
	return build(partitionValues, textList(values), partitionDatabase, database, partitionTable, table)
}

func TestCatalog(t *testing.T) {
	for _, test := range []struct {
		name string
		do   func(d driver)
	}{
		{"a database comes and goes", func(d driver) {
			d.refuses(noSuchObject, "get_database", "one")
			d.must("create_database", d.database("One"))
			d.refuses(alreadyExists, "create_database", d.database("one"))
			d.refuses(invalidObject, "create_database", d.database("../one"))
			d.same("location", d.must("get_database", "ONE").sub(0).text(databaseLocation), d.uri("One.db"))
			d.same("names", d.must("get_all_databases").texts(0), []string{"one"})
			d.must("create_table", d.newTable("one", "t"))
			d.refuses(invalidOperation, "drop_database", "one", true, false)
			d.must("drop_table", "one", "t", true)
			d.must("drop_database", "one", true, false)
			d.same("files", d.exists("One.db"), false)
			d.refuses(noSuchObject, "drop_database", "one", true, false)
		}},
		{"a database leaves what no table of its own had", func(d driver) {
			d.must("create_database", d.database("one"))
			other := d.newTable("one", "other")
			other.put(tableParameters, "EXTERNAL", "TRUE")
			d.must("create_table", other)
			d.must("create_table", d.newTable("one", "own"))
			for _, name := range []string{"one.db/stray", "one.db/other/row", "one.db/own/row"} {
				if err := os.WriteFile(filepath.Join(d.home, name), []byte("1"), 0o600); err != nil {
					d.t.Fatal(err)
				}
			}
			d.must("drop_table", "one", "own", true)
			d.must("drop_table", "one", "other", true)
			d.must("drop_database", "one", true, true)
			d.refuses(noSuchObject, "get_database", "one")
			d.same("the stray file", d.exists("one.db/stray"), true)
			d.same("the external table's", d.exists("one.db/other/row"), true)
			d.same("the table's own", d.exists("one.db/own"), false)
		}},
		{"a directory is removed by every name that it has on this machine", func(d driver) {
			for name, prefix := range map[string]string{"one": "file:", "two": "file://", "three": "s3://bucket"} {
				at := filepath.Join(d.home, name)
				if err := os.Mkdir(at, 0o700); err != nil {
					d.t.Fatal(err)
				}
				removeEmpty(prefix + at + "/")
				d.same(prefix, d.exists(name), name == "three")
			}
		}},
		{"a table comes back as it was made", func(d driver) {
			d.must("create_database", d.database("one"))
			d.must("create_table", d.newTable("one", "T"))
			got := d.must("get_table", "ONE", "t").sub(0)
			d.same("an unknown field", got.text(99), "a field of a later Hive")
			d.same("type", got.text(tableType), managedTable)
			d.same("the request's way", d.must("get_table_req", build(1, "one", 2, "t")).sub(0).sub(1).text(99), got.text(99))
			d.same("by names", len(d.must("get_table_objects_by_name_req", build(1, "one", 2, textList([]string{"t", "none"}))).sub(0).structs(1)), 1)
			d.refuses(alreadyExists, "create_table", d.newTable("one", "t"))
			d.refuses(noSuchObject, "create_table", d.newTable("none", "t"))
			d.refuses(invalidObject, "create_table", d.newTable("one", "a/b"))
			d.refuses(noSuchObject, "get_table", "one", "none")
		}},
		{"tables are listed by pattern and type", func(d driver) {
			d.must("create_database", d.database("one"))
			for _, name := range []string{"b", "ab", "c"} {
				d.must("create_table", d.newTable("one", name))
			}
			view := d.newTable("one", "view")
			view.set(tableType, virtualView)
			d.must("create_table", view)
			d.same("all", d.must("get_all_tables", "one").texts(0), []string{"ab", "b", "c", "view"})
			d.same("a pattern", d.must("get_tables", "one", "*B|c").texts(0), []string{"ab", "b", "c"})
			d.same("no pattern", d.must("get_tables", "one", "(").texts(0), []string{})
			d.same("views", d.must("get_tables_by_type", "one", "*", virtualView).texts(0), []string{"view"})
		}},
		{"files go with a managed table, and stay with an external one", func(d driver) {
			d.must("create_database", d.database("one"))
			d.must("create_table", d.newTable("one", "own"))
			other := d.newTable("one", "other")
			other.put(tableParameters, "EXTERNAL", "TRUE")
			d.must("create_table", other)
			d.same("type", d.must("get_table", "one", "other").sub(0).text(tableType), externalTable)
			d.same("made", d.exists("one.db/own") && d.exists("one.db/other"), true)
			d.must("drop_table", "one", "own", true)
			d.must("drop_table", "one", "other", true)
			d.same("own", d.exists("one.db/own"), false)
			d.same("other", d.exists("one.db/other"), true)
		}},
		{"a table that gets another name takes its files along", func(d driver) {
			d.must("create_database", d.database("one"))
			d.must("create_database", d.database("two"))
			d.must("create_table", d.newTable("one", "t", "day"))
			d.must("add_partition", partitionOf("one", "t", "1"))
			renamed := d.must("get_table", "one", "t").sub(0)
			renamed.set(tableName, "u")
			renamed.set(tableDatabase, "two")
			d.must("alter_table", "one", "t", renamed)
			d.refuses(noSuchObject, "get_table", "one", "t")
			d.same("location", d.must("get_table", "two", "u").sub(0).sub(tableStorage).text(storageLocation), d.uri("two.db/u"))
			p := d.must("get_partition", "two", "u", textList([]string{"1"})).sub(0)
			d.same("its partition's", p.sub(partitionStorage).text(storageLocation), d.uri("two.db/u/day=1"))
			d.same("its partition's table", p.text(partitionTable), "u")
			d.same("files", d.exists("two.db/u/day=1") && !d.exists("one.db/t"), true)

			d.must("create_table", d.newTable("one", "t"))
			taken := d.must("get_table", "one", "t").sub(0)
			taken.set(tableName, "u")
			taken.set(tableDatabase, "two")
			d.refuses(invalidOperation, "alter_table", "one", "t", taken)
			d.same("files of the refused", d.exists("one.db/t"), true)
		}},
		{"of two who read a table one commits", func(d driver) {
			d.must("create_database", d.database("one"))
			d.must("create_table", d.newTable("one", "t"))
			commit := func(was, is string) error {
				altered := d.newTable("one", "t")
				altered.put(tableParameters, "metadata_location", is)
				environment := &structure{}
				environment.put(1, "expected_parameter_key", "metadata_location")
				environment.put(1, "expected_parameter_value", was)
				_, err := d.call("alter_table_with_environment_context", "one", "t", altered, environment)
				return err
			}
			d.same("the first", commit("", "v1"), nil)
			// Iceberg knows the refusal by this text.
			if err := commit("", "v2"); err == nil || !strings.Contains(err.Error(), "The table has been modified. The parameter value for key 'metadata_location' is") {
				d.t.Errorf("the second: %v", err)
			}
			d.same("another one that knows the first", commit("v1", "v3"), nil)
		}},
		{"partitions", func(d driver) {
			d.must("create_database", d.database("one"))
			d.must("create_table", d.newTable("one", "t", "day", "n"))
			for _, day := range []string{"1", "2"} {
				for _, n := range []string{"a", "b"} {
					d.must("add_partition", partitionOf("one", "t", day, n))
				}
			}
			d.refuses(alreadyExists, "add_partition", partitionOf("one", "t", "1", "a"))
			d.refuses(metaException, "add_partition", partitionOf("one", "t", "1"))
			d.refuses(invalidObject, "add_partition", partitionOf("one", "none", "1", "a"))
			d.same("all", d.must("get_partition_names", "one", "t", int16(-1)).texts(0), []string{"day=1/n=a", "day=1/n=b", "day=2/n=a", "day=2/n=b"})
			d.same("the first", d.must("get_partition_names", "one", "t", int16(1)).texts(0), []string{"day=1/n=a"})
			d.same("of a day", d.must("get_partition_names_ps", "one", "t", textList([]string{"2"}), int16(-1)).texts(0), []string{"day=2/n=a", "day=2/n=b"})
			d.same("of any day", d.must("get_partition_names_ps", "one", "t", textList([]string{"", "b"}), int16(-1)).texts(0), []string{"day=1/n=b", "day=2/n=b"})
			d.same("that pass", len(d.must("get_partitions_by_filter", "one", "t", `day = "2"`, int16(-1)).structs(0)), 2)
			d.same("that pass what nobody understands", len(d.must("get_partitions_by_filter", "one", "t", `day rlike "2"`, int16(-1)).structs(0)), 4)
			d.same("again, where they may be there", len(d.must("add_partitions_req", build(1, "one", 2, "t", 3,
				structList([]*structure{partitionOf("one", "t", "1", "a"), partitionOf("one", "t", "3", "c")}), 4, true)).sub(0).structs(1)), 1)
			d.refuses(alreadyExists, "add_partitions_req", build(1, "one", 2, "t", 3,
				structList([]*structure{partitionOf("one", "t", "4", "d"), partitionOf("one", "t", "1", "a")}), 4, false))
			d.refuses(noSuchObject, "get_partition", "one", "t", textList([]string{"4", "d"})) // all or none

			d.must("rename_partition", "one", "t", textList([]string{"3", "c"}), partitionOf("one", "t", "3", "d"))
			d.same("renamed", d.exists("one.db/t/day=3/n=d") && !d.exists("one.db/t/day=3/n=c"), true)
			d.refuses(invalidOperation, "rename_partition", "one", "t", textList([]string{"3", "d"}), partitionOf("one", "t", "1", "a"))

			altered := d.must("get_partition", "one", "t", textList([]string{"1", "a"})).sub(0)
			altered.put(partitionParameters, "numRows", "5")
			d.must("alter_partitions", "one", "t", structList([]*structure{altered}))
			d.same("altered", d.must("get_partition", "one", "t", textList([]string{"1", "a"})).sub(0).dictionary(partitionParameters)["numRows"], "5")
			d.refuses(invalidOperation, "alter_partitions", "one", "t", structList([]*structure{partitionOf("one", "t", "9", "z")}))

			d.must("drop_partition", "one", "t", textList([]string{"1", "a"}), true)
			d.same("dropped", d.exists("one.db/t/day=1/n=a"), false)
			d.refuses(noSuchObject, "drop_partition", "one", "t", textList([]string{"1", "a"}), true)
			d.must("drop_table", "one", "t", true)
			d.must("create_table", d.newTable("one", "t", "day", "n"))
			d.same("of a new table", len(d.must("get_partitions", "one", "t", int16(-1)).structs(0)), 0)
		}},
		{"partition columns stay as long as there are partitions", func(d driver) {
			d.must("create_database", d.database("one"))
			d.must("create_table", d.newTable("one", "t", "day"))
			d.must("alter_table", "one", "t", d.newTable("one", "t", "day", "n"))
			d.must("add_partition", partitionOf("one", "t", "1", "a"))
			d.refuses(invalidOperation, "alter_table", "one", "t", d.newTable("one", "t", "day", "n", "m"))
			d.refuses(invalidOperation, "alter_table", "one", "t", d.newTable("one", "t"))
			d.must("alter_table", "one", "t", d.newTable("one", "t", "DAY", "n"))
		}},
		{"a partition with fewer values than its table has columns passes filters of the others", func(d driver) {
			d.must("create_database", d.database("one"))
			d.must("create_table", d.newTable("one", "t", "day"))
			d.must("add_partition", partitionOf("one", "t", "1"))
			if _, err := d.db.Exec(`UPDATE tables SET spec = ?`, encode(d.newTable("one", "t", "day", "n"))); err != nil {
				d.t.Fatal(err)
			}
			d.same("by the other", len(d.must("get_partitions_by_filter", "one", "t", `n = "2"`, int16(-1)).structs(0)), 1)
			d.same("by its own", len(d.must("get_partitions_by_filter", "one", "t", `day = "2"`, int16(-1)).structs(0)), 0)
		}},
		{"a table with files is not altered to have none", func(d driver) {
			d.must("create_database", d.database("one"))
			d.must("create_table", d.newTable("one", "t"))
			d.refuses(invalidOperation, "alter_table", "one", "t", build(tableName, "u", tableDatabase, "one"))
			d.must("get_table", "one", "t")
			d.same("its files", d.exists("one.db/t"), true)
		}},
		{"a call that panics is answered, and the next one too", func(d driver) {
			d.must("create_database", d.database("one"))
			d.files = nil
			_, err := d.call("create_table", d.newTable("one", "t"))
			if err == nil || !strings.Contains(err.Error(), "The catalog failed at create_table") {
				d.t.Errorf("it is answered with %v", err)
			}
			d.files = local{}
			d.must("create_table", d.newTable("one", "t"))
		}},
		{"functions", func(d driver) {
			d.must("create_database", d.database("one"))
			made := build(functionName, "F", functionDatabase, "one", 3, "a.Class")
			d.must("create_function", made)
			d.refuses(alreadyExists, "create_function", made)
			d.same("class", d.must("get_function", "one", "f").sub(0).text(3), "a.Class")
			d.same("names", d.must("get_functions", "one", "*").texts(0), []string{"f"})
			d.same("all", len(d.must("get_all_functions").sub(0).structs(1)), 1)
			d.refuses(invalidOperation, "drop_database", "one", true, false)
			d.must("drop_function", "one", "f")
			d.refuses(noSuchObject, "get_function", "one", "f")
			d.refuses(noSuchObject, "drop_function", "one", "f")
		}},
		{"a call that is not known, or lacks what it is about", func(d driver) {
			if _, err := d.call("lock"); err == nil || !strings.Contains(err.Error(), "hive.metastore.uris") {
				d.t.Errorf("lock: %v", err)
			}
			for name := range methods {
				_, err := d.call(name) // may be refused, and has to be answered
				if len(methods[name].structs) > 0 && err == nil {
					d.t.Errorf("%s takes no arguments", name)
				}
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) { test.do(newDriver(t, file(t))) })
	}
}

func TestSeveralDrivers(t *testing.T) {
	t.Run("what one has made another one sees", func(t *testing.T) {
		at := file(t)
		one, other := newDriver(t, at), newDriver(t, at)
		one.must("create_database", one.database("one"))
		other.must("create_table", other.newTable("one", "t"))
		one.must("get_table", "one", "t")
	})
	t.Run("one of many makes a name", func(t *testing.T) {
		at := file(t)
		var wg sync.WaitGroup
		made := make(chan int, 8)
		for i := range 8 {
			d := newDriver(t, at)
			wg.Go(func() {
				_, err := d.call("create_database", d.database("one"))
				if e, ok := errors.AsType[*exceptionOf](err); err == nil {
					made <- i
				} else if !ok || e.kind != alreadyExists {
					t.Errorf("the others get %v", err)
				}
			})
		}
		wg.Wait()
		if len(made) != 1 {
			t.Errorf("%d made it", len(made))
		}
	})
	t.Run("what was answered is there after a kill -9, and the others go on", func(t *testing.T) {
		at := file(t)
		d := newDriver(t, at)
		d.must("create_database", d.database("one"))
		for round := range 3 {
			writer := exec.Command(os.Args[0], "writer", at, fmt.Sprint(round))
			out, err := writer.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := writer.Start(); err != nil {
				t.Fatal(err)
			}
			var told []string
			lines := bufio.NewScanner(out)
			for len(told) < 10+round && lines.Scan() {
				told = append(told, lines.Text())
			}
			writer.Process.Kill()
			for lines.Scan() {
				told = append(told, lines.Text())
			}
			_ = writer.Wait() // it was killed
			have := d.must("get_tables", "one", fmt.Sprintf("t%d_*", round)).texts(0)
			for _, name := range told {
				if !slices.Contains(have, name) {
					t.Errorf("%s was answered, and is gone", name)
				}
			}
			if len(have) > len(told)+1 {
				t.Errorf("%d are there, and %d were answered", len(have), len(told))
			}
			d.must("create_table", d.newTable("one", fmt.Sprintf("after_%d", round)))
		}
	})
}

// write makes tables and tells each.
func write(at, round string) {
	db, err := open(at)
	if err != nil {
		panic(err)
	}
	d := driver{&catalog{db: db, files: local{}}, nil, filepath.Dir(at)}
	for i := 0; ; i++ {
		name := fmt.Sprintf("t%s_%d", round, i)
		if _, err := d.call("create_table", d.newTable("one", name)); err != nil {
			panic(err)
		}
		fmt.Println(name)
	}
}

func TestCreate(t *testing.T) {
	t.Run("again changes nothing", func(t *testing.T) {
		at := file(t)
		d := newDriver(t, at)
		d.must("create_database", d.database("one"))
		if err := Create(t.Context(), at); err != nil {
			t.Fatal(err)
		}
		d.must("get_database", "one")
	})
	t.Run("is its owner's alone", func(t *testing.T) {
		info, err := os.Stat(file(t))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("its mode is %v (%v)", info.Mode(), err)
		}
	})
	t.Run("a newer one is refused", func(t *testing.T) {
		at := file(t)
		if _, err := newDriver(t, at).db.Exec(`PRAGMA user_version = 99`); err != nil {
			t.Fatal(err)
		}
		if err := Create(t.Context(), at); err == nil || !strings.Contains(err.Error(), "newer") {
			t.Errorf("the error is %v", err)
		}
	})
	t.Run("what is no database is refused", func(t *testing.T) {
		at := filepath.Join(t.TempDir(), "catalog.db")
		if err := os.WriteFile(at, []byte(strings.Repeat("no database", 100)), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Create(t.Context(), at); err == nil {
			t.Error("it is taken")
		}
	})
}

func TestSnapshot(t *testing.T) {
	at := file(t)
	d := newDriver(t, at)
	d.must("create_database", d.database("one"))
	d.must("create_table", d.newTable("one", "t"))
	to := filepath.Join(t.TempDir(), "copy.db")
	if err := Snapshot(t.Context(), at, to); err != nil { // with the driver there
		t.Fatal(err)
	}
	d.must("drop_table", "one", "t", true)
	if got, err := Examine(t.Context(), to); err != nil || got != (Contents{Databases: 1, Tables: 1}) {
		t.Errorf("the copy has %+v (%v)", got, err)
	}
	if got, err := Examine(t.Context(), at); err != nil || got != (Contents{Databases: 1}) {
		t.Errorf("the catalog has %+v (%v)", got, err)
	}
	if _, err := Examine(t.Context(), filepath.Join(t.TempDir(), "none.db")); hearth.KindOf(err) != hearth.KindNotFound {
		t.Errorf("of none: %v", err)
	}
}

// client is Hive's side of a connection.
type client struct {
	net.Conn
	t testing.TB
}

func dial(t testing.TB, environment []string) client {
	_, address, _ := strings.Cut(environment[0], "=")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return client{conn, t}
}

// greet proves that it has a login, as Java's client does.
func (c client) greet(as login) (status byte, payload string) {
	for _, step := range []struct {
		status  byte
		payload string
	}{{saslStart, mechanism}, {saslOK, ""}} {
		if err := writeSASL(c, step.status, step.payload); err != nil {
			c.t.Fatal(err)
		}
	}
	_, challenge, err := readSASL(c)
	if err != nil {
		c.t.Fatal(err)
	}
	said := directives(string(challenge))
	response := as.respond(said["nonce"])
	if err := writeSASL(c, saslOK, response); err != nil {
		c.t.Fatal(err)
	}
	status, answer, err := readSASL(c)
	if err != nil {
		c.t.Fatal(err)
	}
	return status, string(answer)
}

func (c client) ask(method string, arguments *structure) []byte {
	c.t.Helper()
	message := call{method: method, sequence: 1}.message(messageCall, arguments)
	if _, err := c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(message))), message...)); err != nil {
		c.t.Fatal(err)
	}
	reply, err := readFrame(c)
	if err != nil {
		c.t.Fatal(err)
	}
	return reply
}
