// Package metastore is the catalog of Spark's sessions: databases, tables,
// partitions and functions, in one SQLite file that all drivers of a server use
// at once. It speaks the Thrift API of Hive's metastore, of which it has what
// Spark 3.5 (its Hive 2.3.9 client) and Iceberg call.
//
// It runs in the process that owns a driver and serves that driver alone, on a
// loopback address that only the holder of the driver's token gets in at. So
// nothing of it is shared but the file: a driver that is killed at any moment
// leaves no lock and no half of a change on record, and the server may be away.
// The files of tables are not part of a change: they are moved before it, and
// deleted after it.
//
// What Thrift calls a struct stays as it came, also where it has fields that are
// not known here: a table comes back as it was made. The file has beside it only
// what tables are looked for by.
package metastore
