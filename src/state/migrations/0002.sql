-- What the schedule did last, by job.
CREATE TABLE job (
  name     TEXT PRIMARY KEY,
  due      TEXT NOT NULL,
  started  TEXT NOT NULL,
  finished TEXT,
  outcome  TEXT,                 -- done | blocked | failed | paused; NULL while it runs
  message  TEXT
) STRICT;
