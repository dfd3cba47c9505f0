-- Worklists that were handed out to a department: items of one rule in one run; county NULL: rows without one. `digest` is over every protected
-- cell, `items` the ids of its rows (8 bytes each, little endian, ascending).
CREATE TABLE worklist (
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL,
    rule TEXT NOT NULL,
    department TEXT NOT NULL,
    county TEXT,
    digest TEXT NOT NULL,
    items BLOB NOT NULL,
    revealed INTEGER NOT NULL,
    account TEXT NOT NULL,
    at TEXT NOT NULL
) STRICT;
-- What people decided about an item, in the batch of its import: kind is adopt, correct, waive or province. Values are exact.
CREATE TABLE decision (
    batch INTEGER NOT NULL REFERENCES batch (id),
    worklist INTEGER NOT NULL REFERENCES worklist (id),
    item TEXT NOT NULL,
    kind TEXT NOT NULL,
    rule TEXT NOT NULL,
    tbl TEXT NOT NULL,
    row_key TEXT NOT NULL,
    source TEXT NOT NULL,
    skey TEXT,
    col TEXT NOT NULL,
    before TEXT,
    after TEXT,
    evidence TEXT,
    expires TEXT,
    handler TEXT NOT NULL,
    handled TEXT NOT NULL,
    reviewer TEXT NOT NULL,
    reviewed TEXT NOT NULL,
    approver TEXT NOT NULL,
    approved TEXT NOT NULL,
    PRIMARY KEY (batch, item)
) STRICT;
