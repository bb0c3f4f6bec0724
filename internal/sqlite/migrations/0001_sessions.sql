-- Times are microseconds since 1970 UTC; NULL is a time that has not come.
-- "number" is the order of creation, which listings go by: a row that is added
-- never moves another one.

CREATE TABLE work_groups (
    name             TEXT    NOT NULL PRIMARY KEY,
    description      TEXT    NOT NULL,
    enabled          INTEGER NOT NULL,
    created_at       INTEGER NOT NULL,
    engine_selected  TEXT    NOT NULL,
    engine_effective TEXT    NOT NULL,
    configuration    TEXT    NOT NULL -- JSON
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    number               INTEGER NOT NULL PRIMARY KEY,
    id                   TEXT    NOT NULL UNIQUE,
    work_group           TEXT    NOT NULL,
    description          TEXT    NOT NULL,
    owner                TEXT    NOT NULL,
    engine_selected      TEXT    NOT NULL,
    engine_effective     TEXT    NOT NULL,
    engine_configuration TEXT    NOT NULL, -- JSON
    notebook_version     TEXT    NOT NULL,
    execution_role       TEXT    NOT NULL,
    working_directory    TEXT    NOT NULL,
    idle_timeout         INTEGER NOT NULL, -- microseconds
    encryption           TEXT,             -- JSON
    state                TEXT    NOT NULL,
    reason               TEXT    NOT NULL,
    started_at           INTEGER NOT NULL,
    modified_at          INTEGER NOT NULL,
    ended_at             INTEGER,
    idle_since           INTEGER,
    dpu_millis           INTEGER NOT NULL,
    phases               TEXT,             -- JSON
    journal_offset       INTEGER NOT NULL,
    end_requested        INTEGER NOT NULL,
    token_scope          TEXT,
    token_value          TEXT,
    token_digest         TEXT,
    UNIQUE (token_scope, token_value)
) STRICT;

CREATE INDEX sessions_of_work_group ON sessions (work_group, number);
CREATE INDEX sessions_of_work_group_in_state ON sessions (work_group, state, number);
CREATE INDEX sessions_in_state ON sessions (state, number);

CREATE TABLE calculations (
    number            INTEGER NOT NULL PRIMARY KEY,
    id                TEXT    NOT NULL UNIQUE,
    session_id        TEXT    NOT NULL REFERENCES sessions (id),
    description       TEXT    NOT NULL,
    state             TEXT    NOT NULL,
    reason            TEXT    NOT NULL,
    submitted_at      INTEGER NOT NULL,
    modified_at       INTEGER NOT NULL,
    completed_at      INTEGER,
    dpu_millis        INTEGER NOT NULL,
    progress          TEXT    NOT NULL,
    working_directory TEXT    NOT NULL,
    exit_status       INTEGER NOT NULL,
    token_scope       TEXT,
    token_value       TEXT,
    token_digest      TEXT,
    code              TEXT    NOT NULL, -- last, so that a read of the others need not step over it
    UNIQUE (token_scope, token_value)
) STRICT;

CREATE INDEX calculations_of_session ON calculations (session_id, number);
CREATE INDEX calculations_of_session_in_state ON calculations (session_id, state, number);
-- A driver runs one calculation at a time.
CREATE UNIQUE INDEX calculations_live ON calculations (session_id) WHERE completed_at IS NULL;

CREATE TABLE events (
    number         INTEGER NOT NULL PRIMARY KEY,
    session_id     TEXT    NOT NULL REFERENCES sessions (id),
    calculation_id TEXT    REFERENCES calculations (id),
    at             INTEGER NOT NULL,
    from_state     TEXT    NOT NULL, -- '' at creation
    to_state       TEXT    NOT NULL,
    reason         TEXT    NOT NULL,
    note           TEXT    NOT NULL
) STRICT;

CREATE INDEX events_of_session ON events (session_id, number);
