-- A session that waits for its turn is CREATING and has no driver.

ALTER TABLE sessions ADD COLUMN waiting INTEGER NOT NULL DEFAULT 0;
