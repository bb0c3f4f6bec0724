-- spec is the Thrift struct of each thing in the binary protocol. Names are in
-- lower case.
CREATE TABLE databases (
	name TEXT NOT NULL PRIMARY KEY,
	spec BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tables (
	id       INTEGER PRIMARY KEY,
	database TEXT NOT NULL REFERENCES databases (name),
	name     TEXT NOT NULL,
	type     TEXT NOT NULL,
	spec     BLOB NOT NULL,
	UNIQUE (database, name)
) STRICT;

-- name is the path that a partition has in its table: day=2024-01-01/hour=3.
CREATE TABLE partitions (
	table_id INTEGER NOT NULL REFERENCES tables (id) ON DELETE CASCADE,
	name     TEXT NOT NULL,
	spec     BLOB NOT NULL,
	PRIMARY KEY (table_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE functions (
	database TEXT NOT NULL REFERENCES databases (name),
	name     TEXT NOT NULL,
	spec     BLOB NOT NULL,
	PRIMARY KEY (database, name)
) STRICT, WITHOUT ROWID;
