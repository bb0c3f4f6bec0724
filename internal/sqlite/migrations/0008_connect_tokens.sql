-- What lets Spark Connect clients in at a session. The text of a token is not here.
CREATE TABLE connect_tokens (
    digest     TEXT    NOT NULL PRIMARY KEY, -- SHA-256 of the text, in hexadecimal
    session_id TEXT    NOT NULL REFERENCES sessions (id),
    owner      TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX connect_tokens_of_session ON connect_tokens (session_id);
