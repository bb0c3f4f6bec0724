package metastore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Fields of a Partition.
const (
	partitionValues     = 1
	partitionDatabase   = 2
	partitionTable      = 3
	partitionCreated    = 4
	partitionStorage    = 6
	partitionParameters = 7
)

// nullPartition is the name of the value NULL, and of an empty one.
const nullPartition = "__HIVE_DEFAULT_PARTITION__"

// keysOf gives the names of a table's partition columns.
func keysOf(t *structure) []string {
	var keys []string
	for _, key := range t.structs(tableKeys) {
		keys = append(keys, strings.ToLower(key.text(columnName)))
	}
	return keys
}

// partitionName is the path that values have in a table, as Hive writes it:
// day=2024-01-01/hour=3.
func partitionName(t *table, values []string) (string, error) {
	keys := keysOf(t.structure)
	if len(keys) != len(values) {
		return "", refusal(metaException, "Table %s.%s has %d partition columns, and %d values came", t.database, t.name, len(keys), len(values))
	}
	var parts []string
	for i, key := range keys {
		value := values[i]
		if value == "" {
			value = nullPartition
		}
		parts = append(parts, escapePath(key)+"="+escapePath(value))
	}
	return strings.Join(parts, "/"), nil
}

// escapePath writes a name as Hive does in paths.
func escapePath(name string) string {
	var b strings.Builder
	for i := range len(name) {
		if c := name[i]; c < ' ' || c == 0x7f || strings.IndexByte("\"#%'*/:=?\\{[]^", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// unescapePath undoes escapePath.
func unescapePath(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] == '%' && i+2 < len(name) {
			if c, err := strconv.ParseUint(name[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(c))
				i += 2
				continue
			}
		}
		b.WriteByte(name[i])
	}
	return b.String()
}

// valuesOf reads what partitionName wrote.
func valuesOf(name string) []string {
	var values []string
	for part := range strings.SplitSeq(name, "/") {
		_, value, _ := strings.Cut(part, "=")
		values = append(values, unescapePath(value))
	}
	return values
}

// part is a partition as it is on record.
type part struct {
	name string
	*structure
}

func (p part) location() string { return p.sub(partitionStorage).text(storageLocation) }

func structsOf(parts []part) []*structure {
	all := []*structure{}
	for _, p := range parts {
		all = append(all, p.structure)
	}
	return all
}

// partitionsOf gives a table's partitions in the order of their names.
func partitionsOf(ctx context.Context, t tx, of *table) ([]part, error) {
	return parts(ctx, t, of, `SELECT name, spec FROM partitions WHERE table_id = ? ORDER BY name`, of.id)
}

func parts(ctx context.Context, t tx, of *table, query string, args ...any) ([]part, error) {
	rows, err := t.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []part
	for rows.Next() {
		var p part
		var content []byte
		if err := rows.Scan(&p.name, &content); err != nil {
			return nil, err
		}
		if p.structure, err = decode(content); err != nil {
			return nil, err
		}
		p.set(partitionDatabase, of.database) // the table may have been renamed
		p.set(partitionTable, of.name)
		all = append(all, p)
	}
	return all, rows.Err()
}

// partition returns noSuchObject.
func partition(ctx context.Context, t tx, of *table, name string) (part, error) {
	found, err := parts(ctx, t, of, `SELECT name, spec FROM partitions WHERE table_id = ? AND name = ?`, of.id, name)
	if err != nil {
		return part{}, err
	}
	if len(found) == 0 {
		return part{}, refusal(noSuchObject, "partition %s of %s.%s not found", name, of.database, of.name)
	}
	return found[0], nil
}

// outside gives the places of partitions that are not in their table's.
func outside(partitions []part, location string) []string {
	var places []string
	for _, p := range partitions {
		if at := p.location(); at != "" && !below(at, location) {
			places = append(places, at)
		}
	}
	return places
}

// movePartitions follows a table's files.
func movePartitions(ctx context.Context, t tx, of *table, from, to string) error {
	all, err := partitionsOf(ctx, t, of)
	if err != nil {
		return err
	}
	for _, p := range all {
		if at := p.location(); below(at, from) {
			p.sub(partitionStorage).set(storageLocation, strings.TrimRight(to, "/")+strings.TrimPrefix(at, strings.TrimRight(from, "/")))
			if err := putPartition(ctx, t, of, p.name, p); err != nil {
				return err
			}
		}
	}
	return nil
}

// putPartition puts a partition, under its name or another one, in the place of
// what has the name was.
func putPartition(ctx context.Context, t tx, of *table, was string, p part) error {
	n, err := done(t.ExecContext(ctx, `UPDATE partitions SET name = ?, spec = ? WHERE table_id = ? AND name = ?`, p.name, encode(p.structure), of.id, was))
	if err == nil && n == 0 {
		err = refusal(invalidOperation, "partition %s of %s.%s not found", was, of.database, of.name)
	}
	return unique(err, "Partition", p.name)
}

// settlePartition gives a new or changed partition the form in which it is
// kept: a place below its table's, unless it has another one.
func settlePartition(of *table, p *structure) (part, error) {
	name, err := partitionName(of, p.texts(partitionValues))
	if err != nil {
		return part{}, err
	}
	if p.sub(partitionStorage) == nil {
		if of.sub(tableStorage) == nil {
			return part{}, refusal(metaException, "%s.%s has no files that a partition could have", of.database, of.name)
		}
		own := *of.sub(tableStorage) // its fields are replaced, and never changed
		own.set(storageLocation, nil)
		p.set(partitionStorage, &own)
	}
	if storage := p.sub(partitionStorage); storage.text(storageLocation) == "" && of.location() != "" {
		storage.set(storageLocation, beneath(of.location(), name))
	}
	if created, _ := p.get(partitionCreated).(int32); created == 0 {
		p.set(partitionCreated, now())
	}
	if p.dictionary(partitionParameters)[lastChange] == "" {
		p.put(partitionParameters, lastChange, strconv.Itoa(int(now())))
	}
	return part{name, p}, nil
}

// add adds partitions, all of them or none. Those that are there already are
// left out when known may be, and else refused.
func (c *catalog) add(ctx context.Context, of *table, made []*structure, known bool) ([]part, error) {
	var all, added []part
	for _, m := range made {
		p, err := settlePartition(of, m)
		if err != nil {
			return nil, err
		}
		if _, err := partition(ctx, c.db, of, p.name); err == nil {
			if known {
				continue
			}
			return nil, refusal(alreadyExists, "Partition %s of %s.%s already exists", p.name, of.database, of.name)
		} else if ignoreMissing(err) != nil {
			return nil, err
		}
		if at := p.location(); at != "" {
			if err := c.files.Make(ctx, at); err != nil {
				return nil, refusal(metaException, "%s is not a directory or unable to create one: %v", at, err)
			}
		}
		all = append(all, p)
	}
	err := c.change(ctx, func(t tx) error {
		for _, p := range all {
			n, err := done(t.ExecContext(ctx, `INSERT INTO partitions (table_id, name, spec) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`, of.id, p.name, encode(p.structure)))
			switch {
			case err != nil:
				return err
			case n > 0:
				added = append(added, p)
			case !known:
				return refusal(alreadyExists, "Partition %s of %s.%s already exists", p.name, of.database, of.name)
			}
		}
		return nil
	})
	return added, err
}

// tableOfParts gives the table of a call whose first arguments name it.
func (c *catalog) tableOfParts(ctx context.Context, a *structure) (*table, error) {
	return c.table(ctx, c.db, a.text(1), a.text(2))
}

func (c *catalog) addPartition(ctx context.Context, a *structure) (value, error) {
	p := a.sub(1)
	of, err := c.table(ctx, c.db, p.text(partitionDatabase), p.text(partitionTable))
	if err != nil {
		return nil, asObject(err)
	}
	if _, err := c.add(ctx, of, []*structure{p}, false); err != nil {
		return nil, err
	}
	return p, nil
}

func (c *catalog) addPartitions(ctx context.Context, a *structure) (value, error) {
	made := a.structs(1)
	if len(made) == 0 {
		return int32(0), nil
	}
	of, err := c.table(ctx, c.db, made[0].text(partitionDatabase), made[0].text(partitionTable))
	if err != nil {
		return nil, asObject(err)
	}
	added, err := c.add(ctx, of, made, false)
	return int32(len(added)), err
}

func (c *catalog) addPartitionsOfRequest(ctx context.Context, a *structure) (value, error) {
	request := a.sub(1)
	of, err := c.tableOfParts(ctx, request)
	if err != nil {
		return nil, asObject(err)
	}
	added, err := c.add(ctx, of, request.structs(3), request.flag(4))
	return build(1, structList(structsOf(added))), err
}

func (c *catalog) appendPartition(ctx context.Context, a *structure) (value, error) {
	of, err := c.tableOfParts(ctx, a)
	if err != nil {
		return nil, asObject(err)
	}
	p := build(partitionValues, a.get(3), partitionDatabase, of.database, partitionTable, of.name)
	if _, err := c.add(ctx, of, []*structure{p}, false); err != nil {
		return nil, err
	}
	return p, nil
}

// asObject gives an exception the kind that adding declares.
func asObject(err error) error {
	if e, ok := errors.AsType[*exception](err); ok {
		return &exception{invalidObject, e.text}
	}
	return err
}

// drop drops partitions by their names.
func (c *catalog) drop(ctx context.Context, of *table, dropping []string, deleteData, ignoreUnknown bool) ([]part, error) {
	var dropped []part
	err := c.change(ctx, func(t tx) error {
		for _, name := range dropping {
			p, err := partition(ctx, t, of, name)
			if ignoreUnknown && err != nil && ignoreMissing(err) == nil {
				continue
			}
			if err != nil {
				return err
			}
			if _, err := t.ExecContext(ctx, `DELETE FROM partitions WHERE table_id = ? AND name = ?`, of.id, name); err != nil {
				return err
			}
			dropped = append(dropped, p)
		}
		return nil
	})
	if err != nil || !deleteData || !of.owns() {
		return dropped, err
	}
	for _, p := range dropped {
		if err := c.delete(ctx, p.location()); err != nil {
			return dropped, err
		}
	}
	return dropped, nil
}

func (c *catalog) dropPartition(ctx context.Context, a *structure) (value, error) {
	of, err := c.tableOfParts(ctx, a)
	if err != nil {
		return nil, err
	}
	name, err := partitionName(of, a.texts(3))
	if err == nil {
		_, err = c.drop(ctx, of, []string{name}, a.flag(4), false)
	}
	return true, err
}

func (c *catalog) dropPartitionsOfRequest(ctx context.Context, a *structure) (value, error) {
	request := a.sub(1)
	of, err := c.tableOfParts(ctx, request)
	if err != nil {
		return nil, err
	}
	which := request.sub(3)
	if which.get(1) == nil {
		return nil, refusal(metaException, "partitions are dropped by their names only")
	}
	dropped, err := c.drop(ctx, of, which.texts(1), request.flag(4), request.get(5) == nil || request.flag(5))
	return build(1, structList(structsOf(dropped))), err
}

func (c *catalog) getPartition(ctx context.Context, a *structure) (value, error) {
	of, err := c.tableOfParts(ctx, a)
	if err != nil {
		return nil, err
	}
	name, err := partitionName(of, a.texts(3))
	if err != nil {
		return nil, err
	}
	found, err := partition(ctx, c.db, of, name)
	return orNone(found.structure, err)
}

func (c *catalog) getPartitionByName(ctx context.Context, a *structure) (value, error) {
	of, err := c.tableOfParts(ctx, a)
	if err != nil {
		return nil, err
	}
	found, err := partition(ctx, c.db, of, a.text(3))
	return orNone(found.structure, err)
}

func (c *catalog) getPartitions(ctx context.Context, a *structure) (value, error) {
	return c.partitionList(ctx, a, 3, nil)
}

// partitionList gives the partitions that are wanted, all if that is nil, and
// no more than the field most says.
func (c *catalog) partitionList(ctx context.Context, a *structure, most int16, wanted func(*table, part) bool) (value, error) {
	found, err := c.find(ctx, a, wanted)
	return structList(structsOf(limited(found, a, most))), err
}

func (c *catalog) nameList(ctx context.Context, a *structure, most int16, wanted func(*table, part) bool) (value, error) {
	found, err := c.find(ctx, a, wanted)
	names := []string{}
	for _, p := range limited(found, a, most) {
		names = append(names, p.name)
	}
	return textList(names), err
}

func (c *catalog) find(ctx context.Context, a *structure, wanted func(*table, part) bool) ([]part, error) {
	of, err := c.tableOfParts(ctx, a)
	if err != nil {
		return nil, err
	}
	all, err := partitionsOf(ctx, c.db, of)
	if wanted != nil {
		all = slices.DeleteFunc(all, func(p part) bool { return !wanted(of, p) })
	}
	return all, err
}

func (c *catalog) getPartitionNames(ctx context.Context, a *structure) (value, error) {
	return c.nameList(ctx, a, 3, nil)
}

// beginning wants the partitions whose first values are those of field 3, of
// which an empty one stands for any.
func beginning(a *structure) func(*table, part) bool {
	first := a.texts(3)
	return func(_ *table, p part) bool {
		values := valuesOf(p.name)
		for i, value := range first {
			if i >= len(values) || value != "" && value != values[i] {
				return false
			}
		}
		return true
	}
}

func (c *catalog) getPartitionsOfSpec(ctx context.Context, a *structure) (value, error) {
	return c.partitionList(ctx, a, 4, beginning(a))
}

func (c *catalog) getPartitionNamesOfSpec(ctx context.Context, a *structure) (value, error) {
	return c.nameList(ctx, a, 4, beginning(a))
}

func (c *catalog) getPartitionsByNames(ctx context.Context, a *structure) (value, error) {
	of, err := c.tableOfParts(ctx, a)
	if err != nil {
		return nil, err
	}
	found := []*structure{}
	for _, name := range a.texts(3) {
		p, err := partition(ctx, c.db, of, name)
		if ignoreMissing(err) != nil {
			return nil, err
		}
		if err == nil {
			found = append(found, p.structure)
		}
	}
	return structList(found), nil
}

func (c *catalog) getPartitionsByFilter(ctx context.Context, a *structure) (value, error) {
	return c.partitionList(ctx, a, 4, passing(a.text(3)))
}

func (c *catalog) countPartitionsByFilter(ctx context.Context, a *structure) (value, error) {
	found, err := c.find(ctx, a, passing(a.text(3)))
	return int32(len(found)), err
}

// passing wants the partitions that pass a filter. One that cannot be evaluated
// all pass: the client looks at what it gets by itself.
func passing(filter string) func(*table, part) bool {
	match, ok := parseFilter(filter)
	if !ok {
		return nil
	}
	return func(of *table, p part) bool {
		row := make(map[string]string)
		values := valuesOf(p.name)
		// A partition may be of other columns when it was added while the table
		// was altered.
		for i, key := range keysOf(of.structure) {
			if i < len(values) {
				row[key] = values[i]
			}
		}
		return match(row) != no
	}
}

func (c *catalog) alterPartition(ctx context.Context, a *structure) (value, error) {
	return nil, c.alter(ctx, a, []*structure{a.sub(3)})
}

func (c *catalog) alterPartitions(ctx context.Context, a *structure) (value, error) {
	return nil, c.alter(ctx, a, a.structs(3))
}

func (c *catalog) alter(ctx context.Context, a *structure, altered []*structure) error {
	of, err := c.tableOfParts(ctx, a)
	if err != nil {
		return asOperation(err)
	}
	return c.change(ctx, func(t tx) error {
		for _, one := range altered {
			p, err := settlePartition(of, one)
			if err == nil {
				err = putPartition(ctx, t, of, p.name, p)
			}
			if err != nil {
				return asOperation(err)
			}
		}
		return nil
	})
}

// renamePartition gives a partition other values. Its files move along when
// they are the table's own, and where such a partition has them.
func (c *catalog) renamePartition(ctx context.Context, a *structure) (value, error) {
	of, err := c.tableOfParts(ctx, a)
	if err != nil {
		return nil, asOperation(err)
	}
	old, err := partitionName(of, a.texts(3))
	if err != nil {
		return nil, err
	}
	was, err := partition(ctx, c.db, of, old)
	if err != nil {
		return nil, asOperation(err)
	}
	p, err := settlePartition(of, a.sub(4))
	if err != nil {
		return nil, err
	}
	if _, err := partition(ctx, c.db, of, p.name); err == nil && p.name != old {
		return nil, refusal(invalidOperation, "Partition %s of %s.%s already exists", p.name, of.database, of.name)
	} else if ignoreMissing(err) != nil {
		return nil, err
	}
	from, to := was.location(), beneath(of.location(), p.name)
	moves := of.owns() && from == beneath(of.location(), old) && from != to
	if moves {
		if err := c.files.Rename(ctx, from, to); err != nil {
			return nil, refusal(invalidOperation, "The files of partition %s of %s.%s cannot be moved from %s to %s: %v", old, of.database, of.name, from, to, err)
		}
		p.sub(partitionStorage).set(storageLocation, to)
	}
	if err := putPartition(ctx, c.db, of, old, p); err != nil {
		if moves {
			_ = c.files.Rename(ctx, to, from) // the first error is the one that matters
		}
		return nil, asOperation(err)
	}
	return nil, nil
}

// limited cuts a list to the most that a caller wants; below 0 is all.
func limited[T any](all []T, a *structure, id int16) []T {
	if most, said := a.get(id).(int16); said && most >= 0 && int(most) < len(all) {
		return all[:most]
	}
	return all
}
