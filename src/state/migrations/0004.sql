-- Columns that the mapping skipped (JSON: name, declared), and what tells the table, and the rows that it shows, from another one of its name.
ALTER TABLE reading ADD COLUMN unread TEXT NOT NULL DEFAULT '[]';
ALTER TABLE reading ADD COLUMN identity TEXT;
