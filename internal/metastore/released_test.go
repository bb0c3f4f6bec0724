package metastore

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// nowhere are files that are on another machine.
type nowhere struct{}

func (nowhere) Make(context.Context, string) error           { return nil }
func (nowhere) Delete(context.Context, string) error         { return nil }
func (nowhere) Rename(context.Context, string, string) error { return nil }

// released opens a catalog of testdata, of which there is one of each schema
// that was released, as a server of this build does.
func released(t *testing.T, version int) driver {
	t.Helper()
	packed, err := os.Open(fmt.Sprintf("testdata/schema-%d.db.gz", version))
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	content, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(t.TempDir(), "catalog.db")
	f, err := os.OpenFile(at, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(f, content)
	if err := errors.Join(err, f.Close(), Create(t.Context(), at)); err != nil {
		t.Fatal(err)
	}
	d := newDriver(t, at)
	d.files = nowhere{}
	return d
}

// TestReleasedSchemas reads what an earlier build has written: two databases,
// of which sales has a table with partitions, an external one, one of Iceberg, a
// view and a function.
func TestReleasedSchemas(t *testing.T) {
	for version := 1; version <= schemaVersion; version++ {
		t.Run(fmt.Sprint("schema ", version), func(t *testing.T) {
			t.Run("everything is read as it was", func(t *testing.T) {
				d := released(t, version)
				d.t = t
				has, err := Examine(t.Context(), filepath.Join(d.home, "catalog.db"))
				d.same("contents", fmt.Sprint(has, err), fmt.Sprint(Contents{Databases: 2, Tables: 4}, nil))
				d.same("databases", d.must("get_all_databases").texts(0), []string{"default", "sales"})
				d.same("a database's location", d.must("get_database", "sales").sub(0).text(databaseLocation), "file:/data/warehouse/sales.db")
				d.same("tables", d.must("get_all_tables", "sales").texts(0), []string{"big", "ice", "orders", "placed"})
				for name, kind := range map[string]string{"orders": managedTable, "placed": externalTable, "ice": externalTable, "big": virtualView} {
					d.same(name, d.must("get_tables_by_type", "sales", name, kind).texts(0), []string{name})
				}

				orders := d.must("get_table", "sales", "orders").sub(0)
				d.same("when it was made", orders.get(tableCreated), 1700000000)
				d.same("its columns", keysOf(orders), []string{"day", "n"})
				d.same("its location", orders.sub(tableStorage).text(storageLocation), "file:/data/warehouse/sales.db/orders")
				d.same("a field that is not known", orders.text(99), "a field of a later Hive")
				d.same("a parameter", orders.dictionary(tableParameters)["spark.sql.sources.provider"], "parquet")
				d.same("Iceberg's", d.must("get_table", "sales", "ice").sub(0).dictionary(tableParameters)["metadata_location"], "s3://a/ice/metadata/1.json")
				d.same("the view's text", d.must("get_table", "sales", "big").sub(0).text(10), "select * from sales.orders where n > 9")
				d.same("the function's class", d.must("get_function", "sales", "f").sub(0).text(3), "a.Class")

				d.same("partitions", d.must("get_partition_names", "sales", "orders", int16(-1)).texts(0),
					[]string{"day=2024-01-01/n=10", "day=2024-01-02/n=9", "day=a%2Fb%5C/n=" + nullPartition})
				d.same("those that pass", len(d.must("get_partitions_by_filter", "sales", "orders", `n > 9 and day = "2024-01-01"`, int16(-1)).structs(0)), 1)
				p := d.must("get_partition", "sales", "orders", textList([]string{"2024-01-02", "9"})).sub(0)
				d.same("a partition's location", p.sub(partitionStorage).text(storageLocation), "file:/data/elsewhere")
				d.same("its parameter", p.dictionary(partitionParameters)["numRows"], "5")
			})
			t.Run("it is changed as a new one is", func(t *testing.T) {
				d := released(t, version)
				d.must("add_partition", partitionOf("sales", "orders", "2024-01-03", "1"))
				renamed := d.must("get_table", "sales", "orders").sub(0)
				renamed.set(tableName, "daily")
				d.must("alter_table", "sales", "orders", renamed)
				d.same("partitions", len(d.must("get_partitions", "sales", "daily", int16(-1)).structs(0)), 4)
				d.refuses(alreadyExists, "create_database", d.database("sales"))
				d.refuses(invalidOperation, "drop_database", "sales", true, false)
				for _, name := range d.must("get_all_tables", "sales").texts(0) {
					d.must("drop_table", "sales", name, true)
				}
				d.must("drop_database", "sales", true, true)
				d.same("functions", len(d.must("get_all_functions").sub(0).structs(1)), 0)
			})
		})
	}
}
