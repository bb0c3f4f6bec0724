CREATE TABLE notebooks (
    number      INTEGER NOT NULL PRIMARY KEY,
    id          TEXT    NOT NULL UNIQUE,
    work_group  TEXT    NOT NULL REFERENCES work_groups (name),
    name        TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    modified_at INTEGER NOT NULL,
    content     TEXT    NOT NULL, -- last, so that a read of the others need not step over it
    UNIQUE (work_group, name)
) STRICT;

CREATE INDEX notebooks_of_work_group ON notebooks (work_group, number);

-- Tokens of everything that is asked of notebooks. They outlive the notebooks.
CREATE TABLE notebook_tokens (
    scope       TEXT NOT NULL,
    value       TEXT NOT NULL,
    digest      TEXT NOT NULL,
    notebook_id TEXT NOT NULL,
    PRIMARY KEY (scope, value)
) STRICT, WITHOUT ROWID;

ALTER TABLE sessions ADD COLUMN notebook_id TEXT NOT NULL DEFAULT ''; -- '' is none; a notebook may be gone after its sessions

-- A notebook has one session at a time.
CREATE UNIQUE INDEX sessions_live_of_notebook ON sessions (notebook_id) WHERE notebook_id <> '' AND ended_at IS NULL;
