-- Whose the bucket of a session's results has to be, and whose the results are.

ALTER TABLE sessions ADD COLUMN ownership TEXT; -- JSON
