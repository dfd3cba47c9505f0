-- row: a row of AB01, and which to believe first where rows of one unit differ: the one that would survive
-- key: _key
SELECT r.unit_key AS _key, r.place AS trust
FROM unit_rank AS r
