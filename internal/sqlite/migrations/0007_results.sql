-- Whose the bucket of a session's results has to be, and whose the results are.
ALTER TABLE sessions ADD COLUMN ownership TEXT; -- JSON

-- Results of ended sessions can be removed while the record stays.
ALTER TABLE sessions ADD COLUMN results_removed_at INTEGER;
CREATE INDEX sessions_with_results ON sessions (ended_at) WHERE ended_at IS NOT NULL AND results_removed_at IS NULL;
