-- How each table of an extract was read. base: the extract whose view this one's changes were applied to; NULL: read in full.
CREATE TABLE reading (
  extract   INTEGER NOT NULL REFERENCES extract (id),
  tbl       TEXT NOT NULL,
  method    TEXT NOT NULL,       -- full | change-tracking | rowversion | timestamp | compare
  base      INTEGER REFERENCES extract (id),
  columns   TEXT NOT NULL,       -- JSON: name, declared, nullable; what drift is compared with
  key       TEXT NOT NULL,       -- JSON list of columns
  watermark TEXT,                -- typed by the server, as text: where the next increment begins
  view      TEXT,                -- JSON list of parts: the table as it is at this extract; NULL until it is finished
  deletes   TEXT,                -- JSON: the part with the keys of deleted rows
  counts    TEXT,                -- JSON: inserted, updated, deleted
  PRIMARY KEY (extract, tbl)
) STRICT, WITHOUT ROWID;
-- Facts about server and connection, JSON list of name and value.
ALTER TABLE extract ADD COLUMN facts TEXT NOT NULL DEFAULT '[]';
