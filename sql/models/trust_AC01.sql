-- row: a row of AC01, and whom to believe first where rows of one person differ: whose ID the police confirmed, then who paid last
-- key: _key
SELECT r.person_key AS _key, row_number() OVER (ORDER BY r.confirmed DESC, r.last_month DESC NULLS LAST, r.place) AS trust
FROM person_rank AS r
