CREATE INDEX sessions_of_notebook ON sessions (notebook_id, number) WHERE notebook_id <> '';
