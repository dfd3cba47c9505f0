-- The day that stands for today in a run (yyyy-mm-dd), fixed when it begins; NULL: an older version began it.
ALTER TABLE run ADD COLUMN as_of TEXT;
-- Tables and views that the source has besides those of the extract (JSON: table, view); NULL: not recorded.
ALTER TABLE extract ADD COLUMN others TEXT;
