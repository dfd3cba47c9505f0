-- Extracts: one consistent reading of one source. status: running | complete | abandoned (parts may remain) | removed.
CREATE TABLE extract (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  source      TEXT NOT NULL,
  consistency TEXT NOT NULL,
  point       TEXT NOT NULL,
  settings    TEXT NOT NULL,   -- what else decides the bytes of a part: encoding, form of raw
  tables      TEXT NOT NULL,   -- JSON list of legacy tables
  status      TEXT NOT NULL,
  started     TEXT NOT NULL,
  finished    TEXT,
  asked       TEXT,            -- which measures were asked of the source (JSON)
  measures    TEXT             -- the part with the answers (JSON)
) STRICT;
-- Chunks: a range of keys of one table; recorded before it is read, part NULL until it is durable.
CREATE TABLE chunk (
  extract INTEGER NOT NULL REFERENCES extract (id),
  tbl     TEXT NOT NULL,
  no      INTEGER NOT NULL,
  bounds  TEXT NOT NULL,
  part    TEXT,
  PRIMARY KEY (extract, tbl, no)
) STRICT, WITHOUT ROWID;
-- Runs over extracts. status: running | done | blocked | abandoned.
CREATE TABLE run (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  digest   TEXT NOT NULL,      -- of config, mappings, rules, version and extracts: a run goes on only under the same
  extracts TEXT NOT NULL,      -- JSON list of extract ids
  status   TEXT NOT NULL,
  started  TEXT NOT NULL,
  finished TEXT
) STRICT;
-- What a stage of a run finished for one table (or one part of it). No row: it is deleted and computed again.
CREATE TABLE output (
  run    INTEGER NOT NULL REFERENCES run (id),
  stage  TEXT NOT NULL,
  tbl    TEXT NOT NULL,
  parts  TEXT NOT NULL,        -- JSON: path in the work directory, rows, bytes, sha256
  digest TEXT NOT NULL,
  counts TEXT NOT NULL,        -- JSON of the stage
  PRIMARY KEY (run, stage, tbl)
) STRICT, WITHOUT ROWID;
