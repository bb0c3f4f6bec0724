package metastore

import (
	"context"
	"strings"
)

// Fields of a Function.
const (
	functionName     = 1
	functionDatabase = 2
	functionCreated  = 6
)

func (c *catalog) createFunction(ctx context.Context, a *structure) (value, error) {
	made := a.sub(1)
	database, name := strings.ToLower(made.text(functionDatabase)), strings.ToLower(made.text(functionName))
	if !plainName.MatchString(name) {
		return nil, refusal(invalidObject, "%q is no name for a function", name)
	}
	made.set(functionDatabase, database)
	made.set(functionName, name)
	if created, _ := made.get(functionCreated).(int32); created == 0 {
		made.set(functionCreated, now())
	}
	return nil, c.change(ctx, func(t tx) error {
		if _, err := c.database(ctx, t, database); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, `INSERT INTO functions (database, name, spec) VALUES (?, ?, ?)`, database, name, encode(made))
		return unique(err, "Function", database+"."+name)
	})
}

func (c *catalog) getFunction(ctx context.Context, a *structure) (value, error) {
	database, name := strings.ToLower(a.text(1)), strings.ToLower(a.text(2))
	found, err := spec(ctx, c.db, `SELECT spec FROM functions WHERE database = ? AND name = ?`, database, name)
	if err == nil && found == nil {
		err = noFunction(database, name)
	}
	return orNone(found, err)
}

func (c *catalog) getFunctions(ctx context.Context, a *structure) (value, error) {
	all, err := names(ctx, c.db, `SELECT name FROM functions WHERE database = ? ORDER BY name`, strings.ToLower(a.text(1)))
	return textList(matching(all, a.text(2))), err
}

func (c *catalog) getAllFunctions(ctx context.Context, _ *structure) (value, error) {
	all, err := specs(ctx, c.db, `SELECT spec FROM functions ORDER BY database, name`)
	return build(1, structList(all)), err
}

func (c *catalog) alterFunction(ctx context.Context, a *structure) (value, error) {
	database, name, altered := strings.ToLower(a.text(1)), strings.ToLower(a.text(2)), a.sub(3)
	altered.set(functionDatabase, database)
	altered.set(functionName, name)
	n, err := done(c.db.ExecContext(ctx, `UPDATE functions SET spec = ? WHERE database = ? AND name = ?`, encode(altered), database, name))
	if err == nil && n == 0 {
		err = asOperation(noFunction(database, name))
	}
	return nil, err
}

func (c *catalog) dropFunction(ctx context.Context, a *structure) (value, error) {
	database, name := strings.ToLower(a.text(1)), strings.ToLower(a.text(2))
	n, err := done(c.db.ExecContext(ctx, `DELETE FROM functions WHERE database = ? AND name = ?`, database, name))
	if err == nil && n == 0 {
		err = noFunction(database, name)
	}
	return nil, err
}

func noFunction(database, name string) error {
	return refusal(noSuchObject, "Function %s.%s does not exist", database, name)
}
