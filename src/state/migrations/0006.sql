-- Who began a run (account of the operating system); NULL: an older version began it.
ALTER TABLE run ADD COLUMN operator TEXT;
-- Proposals of one rule that somebody approved together; undone: when, and by whom.
CREATE TABLE batch (
    id INTEGER PRIMARY KEY,
    rule TEXT NOT NULL,
    run TEXT NOT NULL,
    approver TEXT NOT NULL,
    account TEXT NOT NULL,
    reason TEXT NOT NULL,
    at TEXT NOT NULL,
    undone_at TEXT,
    undone_by TEXT
) STRICT;
-- The identity of each: digest of rule, table, key, column, before, after (RULES 3).
CREATE TABLE approval (
    batch INTEGER NOT NULL REFERENCES batch (id),
    proposal TEXT NOT NULL,
    PRIMARY KEY (batch, proposal)
) STRICT;
