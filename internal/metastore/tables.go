package metastore

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// Fields of a Table, and of a StorageDescriptor and a FieldSchema in it.
const (
	tableName       = 1
	tableDatabase   = 2
	tableCreated    = 4
	tableStorage    = 7
	tableKeys       = 8
	tableParameters = 9
	tableType       = 12

	storageLocation = 2

	columnName = 1
	columnType = 2
)

// Types of tables.
const (
	managedTable  = "MANAGED_TABLE"
	externalTable = "EXTERNAL_TABLE"
	virtualView   = "VIRTUAL_VIEW"
)

// table is a table as it is on record.
type table struct {
	id             int64
	database, name string
	*structure
}

func (t *table) location() string { return t.sub(tableStorage).text(storageLocation) }

// owns reports whether the table's files are its own, and go with it.
func (t *table) owns() bool { return t.text(tableType) == managedTable }

// table returns noSuchObject.
func (c *catalog) table(ctx context.Context, t tx, database, name string) (*table, error) {
	found := &table{database: strings.ToLower(database), name: strings.ToLower(name)}
	rows, err := t.QueryContext(ctx, `SELECT id, spec FROM tables WHERE database = ? AND name = ?`, found.database, found.name)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return nil, err
		}
		return nil, refusal(noSuchObject, "%s.%s table not found", found.database, found.name)
	}
	var content []byte
	if err := rows.Scan(&found.id, &content); err != nil {
		return nil, err
	}
	found.structure, err = decode(content)
	return found, err
}

// settle gives a new or changed table the form in which it is kept.
func settle(t *structure, database, name string) {
	t.set(tableDatabase, database)
	t.set(tableName, name)
	parameters := t.dictionary(tableParameters)
	external := strings.EqualFold(parameters["EXTERNAL"], "true")
	switch kind := t.text(tableType); {
	case external && (kind == "" || kind == managedTable):
		t.set(tableType, externalTable)
	case !external && (kind == "" || kind == externalTable):
		t.set(tableType, managedTable)
	}
	if created, _ := t.get(tableCreated).(int32); created == 0 {
		t.set(tableCreated, now())
	}
	if parameters[lastChange] == "" {
		t.put(tableParameters, lastChange, strconv.Itoa(int(now())))
	}
}

// lastChange is Hive's parameter with the time of the last change.
const lastChange = "transient_lastDdlTime"

func (c *catalog) createTable(ctx context.Context, a *structure) (value, error) {
	made := a.sub(1)
	database, name := strings.ToLower(made.text(tableDatabase)), strings.ToLower(made.text(tableName))
	if !plainName.MatchString(name) {
		return nil, refusal(invalidObject, "%q is no name for a table", name)
	}
	home, err := c.database(ctx, c.db, database)
	if err != nil {
		return nil, err
	}
	if _, err := c.table(ctx, c.db, database, name); err == nil {
		return nil, refusal(alreadyExists, "Table %s.%s already exists", database, name)
	} else if ignoreMissing(err) != nil {
		return nil, err
	}
	settle(made, database, name)
	if storage := made.sub(tableStorage); storage != nil && made.text(tableType) != virtualView {
		if storage.text(storageLocation) == "" {
			storage.set(storageLocation, beneath(home.text(databaseLocation), name))
		}
		if err := c.files.Make(ctx, storage.text(storageLocation)); err != nil {
			return nil, refusal(metaException, "%s is not a directory or unable to create one: %v", storage.text(storageLocation), err)
		}
	}
	err = c.change(ctx, func(t tx) error {
		if _, err := c.database(ctx, t, database); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, `INSERT INTO tables (database, name, type, spec) VALUES (?, ?, ?, ?)`, database, name, made.text(tableType), encode(made))
		return unique(err, "Table", database+"."+name)
	})
	return nil, err
}

func (c *catalog) getTable(ctx context.Context, a *structure) (value, error) {
	found, err := c.table(ctx, c.db, a.text(1), a.text(2))
	if err != nil {
		return nil, err
	}
	return found.structure, nil
}

// getTableOfRequest is getTable with its arguments and its answer in structs.
func (c *catalog) getTableOfRequest(ctx context.Context, a *structure) (value, error) {
	found, err := c.getTable(ctx, a.sub(1))
	if err != nil {
		return nil, err
	}
	return build(1, found), nil
}

func (c *catalog) getTablesByName(ctx context.Context, a *structure) (value, error) {
	found := []*structure{}
	for _, name := range a.texts(2) {
		t, err := c.table(ctx, c.db, a.text(1), name)
		if ignoreMissing(err) != nil {
			return nil, err
		}
		if err == nil {
			found = append(found, t.structure)
		}
	}
	return structList(found), nil
}

func (c *catalog) getTablesOfRequest(ctx context.Context, a *structure) (value, error) {
	found, err := c.getTablesByName(ctx, a.sub(1))
	if err != nil {
		return nil, err
	}
	return build(1, found), nil
}

func (c *catalog) getTables(ctx context.Context, a *structure) (value, error) {
	all, err := names(ctx, c.db, `SELECT name FROM tables WHERE database = ? AND (? = '' OR type = ?) ORDER BY name`,
		strings.ToLower(a.text(1)), a.text(3), a.text(3))
	return textList(matching(all, a.text(2))), err
}

// getTableMetas lists names and types of tables in several databases.
func (c *catalog) getTableMetas(ctx context.Context, a *structure) (value, error) {
	found := []*structure{}
	databases, err := names(ctx, c.db, `SELECT name FROM databases ORDER BY name`)
	if err != nil {
		return nil, err
	}
	for _, database := range matching(databases, a.text(1)) {
		tables, err := specs(ctx, c.db, `SELECT spec FROM tables WHERE database = ? ORDER BY name`, database)
		if err != nil {
			return nil, err
		}
		for _, t := range tables {
			wanted := a.texts(3)
			if len(matching([]string{t.text(tableName)}, a.text(2))) > 0 && (len(wanted) == 0 || slices.Contains(wanted, t.text(tableType))) {
				found = append(found, build(1, database, 2, t.text(tableName), 3, t.text(tableType)))
			}
		}
	}
	return structList(found), nil
}

// expectation is what an environment context may expect of a table that is to
// be altered: a parameter's value, so that of two who read the table before one
// is refused. Iceberg commits with it.
func expectation(environment *structure, was *table) error {
	expected := environment.dictionary(1)
	key := expected["expected_parameter_key"]
	if key == "" {
		return nil
	}
	if found := was.dictionary(tableParameters)[key]; found != expected["expected_parameter_value"] {
		return refusal(metaException, "The table has been modified. The parameter value for key '%s' is '%s'. The expected was value was '%s'",
			key, found, expected["expected_parameter_value"])
	}
	return nil
}

// alterTable replaces a table. When a managed one gets another name its files
// move along, unless they are not where such tables have theirs.
func (c *catalog) alterTable(ctx context.Context, a *structure) (value, error) {
	altered := a.sub(3)
	was, err := c.table(ctx, c.db, a.text(1), a.text(2))
	if err != nil {
		return nil, asOperation(err)
	}
	database, name := strings.ToLower(altered.text(tableDatabase)), strings.ToLower(altered.text(tableName))
	if !plainName.MatchString(name) {
		return nil, refusal(invalidOperation, "%q is no name for a table", name)
	}
	if was.sub(tableStorage) != nil && altered.sub(tableStorage) == nil {
		return nil, refusal(invalidOperation, "table %s.%s has files, and came without a storage descriptor", was.database, was.name)
	}
	if altered.get(tableCreated) == nil {
		altered.set(tableCreated, was.get(tableCreated))
	}
	settle(altered, database, name)
	from, to := was.location(), ""
	if database != was.database || name != was.name {
		if _, err := c.table(ctx, c.db, database, name); err == nil {
			return nil, refusal(invalidOperation, "new table %s.%s already exists", database, name)
		} else if ignoreMissing(err) != nil {
			return nil, err
		}
		if to, err = c.newPlace(ctx, was, altered); err != nil {
			return nil, asOperation(err)
		}
	}
	if to != "" {
		if err := c.files.Rename(ctx, from, to); err != nil {
			return nil, refusal(invalidOperation, "The files of table %s.%s cannot be moved from %s to %s: %v", was.database, was.name, from, to, err)
		}
		altered.sub(tableStorage).set(storageLocation, to)
	}
	err = c.change(ctx, func(t tx) error { return c.replaceTable(ctx, t, was, altered, a.sub(4), to) })
	if err != nil && to != "" {
		_ = c.files.Rename(ctx, to, from) // the first error is the one that matters
	}
	return nil, asOperation(err)
}

// newPlace is where a table's files go when it gets another name, "" when they
// stay.
func (c *catalog) newPlace(ctx context.Context, was *table, altered *structure) (string, error) {
	if place := altered.sub(tableStorage).text(storageLocation); !was.owns() || place != "" && place != was.location() {
		return "", nil
	}
	old, err := c.database(ctx, c.db, was.database)
	if err != nil {
		return "", err
	}
	if !strings.EqualFold(strings.TrimRight(was.location(), "/"), beneath(old.text(databaseLocation), was.name)) {
		return "", nil
	}
	home, err := c.database(ctx, c.db, altered.text(tableDatabase))
	return beneath(home.text(databaseLocation), altered.text(tableName)), err
}

// replaceTable puts a table in the place of another one. Where the files have
// moved, to is their new place, and its partitions' have moved along.
func (c *catalog) replaceTable(ctx context.Context, t tx, was *table, altered, environment *structure, to string) error {
	current, err := c.table(ctx, t, was.database, was.name)
	if err != nil {
		return err
	}
	if err := expectation(environment, current); err != nil {
		return err
	}
	if to != "" && (current.id != was.id || current.location() != was.location()) {
		return refusal(invalidOperation, "Another session altered %s.%s at the same time: try again", was.database, was.name)
	}
	if err := c.sameKeys(ctx, t, current, altered); err != nil {
		return err
	}
	database, name := altered.text(tableDatabase), altered.text(tableName)
	if _, err := c.database(ctx, t, database); err != nil {
		return err
	}
	_, err = t.ExecContext(ctx, `UPDATE tables SET database = ?, name = ?, type = ?, spec = ? WHERE id = ?`,
		database, name, altered.text(tableType), encode(altered), current.id)
	if err != nil || to == "" {
		return unique(err, "Table", database+"."+name)
	}
	return movePartitions(ctx, t, current, was.location(), to)
}

// sameKeys refuses other partition columns for a table that has partitions:
// their names and their directories are made of the columns.
func (c *catalog) sameKeys(ctx context.Context, t tx, was *table, altered *structure) error {
	if slices.Equal(keysOf(was.structure), keysOf(altered)) {
		return nil
	}
	first, err := names(ctx, t, `SELECT name FROM partitions WHERE table_id = ? LIMIT 1`, was.id)
	if err == nil && len(first) > 0 {
		err = refusal(invalidOperation, "partition keys can not be changed: table %s.%s has partitions", was.database, was.name)
	}
	return err
}

// asOperation gives an exception the kind that altering declares.
func asOperation(err error) error {
	if e, ok := errors.AsType[*exception](err); ok && e.kind != metaException {
		return &exception{invalidOperation, e.text}
	}
	return err
}

func (c *catalog) dropTable(ctx context.Context, a *structure) (value, error) {
	var dropped *table
	var places []string
	err := c.change(ctx, func(t tx) (err error) {
		if dropped, err = c.table(ctx, t, a.text(1), a.text(2)); err != nil {
			return err
		}
		if dropped.owns() {
			parts, err := partitionsOf(ctx, t, dropped)
			if err != nil {
				return err
			}
			places = outside(parts, dropped.location())
		}
		_, err = t.ExecContext(ctx, `DELETE FROM tables WHERE id = ?`, dropped.id)
		return err
	})
	if err != nil || !a.flag(3) || !dropped.owns() {
		return nil, err
	}
	for _, place := range append(places, dropped.location()) {
		if err := c.delete(ctx, place); err != nil {
			return nil, err
		}
	}
	return nil, nil
}
