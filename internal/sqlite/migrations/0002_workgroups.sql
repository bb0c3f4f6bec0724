-- Workgroups can be changed: "revision" counts the updates of one, each of
-- which is made to the revision that was read.

ALTER TABLE work_groups ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE work_groups ADD COLUMN tags TEXT; -- JSON

ALTER TABLE sessions ADD COLUMN tags TEXT; -- JSON
ALTER TABLE sessions ADD COLUMN monitoring TEXT; -- JSON
