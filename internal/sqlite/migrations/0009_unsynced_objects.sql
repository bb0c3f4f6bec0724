-- Objects that a calculation's end tells of, and that may not be on the disk yet.
CREATE TABLE unsynced_objects (
    number INTEGER PRIMARY KEY,
    id     TEXT NOT NULL UNIQUE,
    uri    TEXT NOT NULL,
    kept   BLOB NOT NULL
) STRICT;
