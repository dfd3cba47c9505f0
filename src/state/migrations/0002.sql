-- Jobs of the schedule: one row each time that a job was begun. Written by the holder of schedule.lock alone.
-- outcome: NULL while it runs (or the process was killed) | done | blocked | failed | stopped.
CREATE TABLE job (
  id               INTEGER PRIMARY KEY AUTOINCREMENT,
  name             TEXT NOT NULL,
  due              TEXT NOT NULL,   -- the moment that its cron expression named
  started          TEXT NOT NULL,
  finished         TEXT,
  outcome          TEXT,
  message          TEXT,            -- why it failed: error code and masked text
  rows             INTEGER,         -- rows that it handled: extracted, or of all extracts of its run
  unexplained_rows INTEGER,         -- of a run
  unexplained_fen  INTEGER
) STRICT;
CREATE INDEX job_name ON job (name, id);
