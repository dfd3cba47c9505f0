-- row: a person number, with the citizen ID in one form (15 digits folded to 18) and the number of the same person on the other side
-- key: AAC001
WITH
-- A placeholder number (equal digits, birth 19000101, sequence 000) names nobody: its id is NULL (GAR-04 finds it).
-- side: U a number of the unemployment system (it stands in W_NUMBER_LINK and has no pension relation), else P.
-- home: the pension number of the same person, where exactly one fits by ID and name, or where the city linked it; else the number itself.
raw AS (
    SELECT p.AAC001, p._key AS person_key, p.AAC999 AS number, p.AAC004, p.AAC006 AS birth, p.BAE500,
           upper(btrim(half_width(p.AAC147))) AS id_text, btrim(half_width(p.AAC003)) AS name,
           -- A key that comes twice is STR-05; here it is one number.
           row_number() OVER (PARTITION BY p.AAC001 ORDER BY p.AAC147, p.AAC003, p.AAC006, p.AAC004, p.AAC999) AS nth
    FROM AC01 AS p
),
one AS (
    SELECT r.AAC001, r.person_key, r.number, r.id_text, r.birth,
           CASE WHEN r.name <> '' THEN r.name END AS name,
           CASE WHEN r.name <> '' THEN name_key(r.name) END AS name_key,
           CASE WHEN r.AAC004 IN ('1', '2') THEN r.AAC004 END AS sex,
           CASE WHEN replace(r.id_text, substr(r.id_text, 1, 1), '') = '' THEN NULL
                WHEN id_check(r.id_text) IN ('ok', 'digit') THEN r.id_text
                WHEN id_check(r.id_text) = 'ok15' THEN id18(r.id_text)
                WHEN residence_card(r.id_text) THEN r.id_text
           END AS folded,
           id_check(r.id_text) IN ('ok', 'ok15') OR coalesce(residence_card(r.id_text), false) AS sound,
           coalesce(id_valid(r.id_text), false) AND coalesce(r.BAE500, '0') = '1' AS confirmed
    FROM raw AS r
    WHERE r.nth = 1
),
link AS (
    SELECT l.YWL002 AS number, min(l.YWL001) AS pension_number
    FROM W_NUMBER_LINK AS l
    WHERE l.YWL002 IS NOT NULL
    GROUP BY l.YWL002
),
pension AS (SELECT DISTINCT r.AAC001 FROM AC02 AS r WHERE r.AAE140 = '110'),
sided AS (
    SELECT o.AAC001, o.person_key, o.number, o.id_text, o.birth, o.name, o.name_key, o.sex, o.sound, o.confirmed,
           CASE WHEN substr(o.folded, 7, 8) <> '19000101' AND substr(o.folded, 15, 3) <> '000' THEN o.folded END AS id,
           CASE WHEN l.number IS NOT NULL AND n.AAC001 IS NULL THEN 'U' ELSE 'P' END AS side,
           l.pension_number
    FROM one AS o
    LEFT JOIN link AS l ON l.number = o.number
    LEFT JOIN pension AS n ON n.AAC001 = o.AAC001
),
by_id AS (
    SELECT s.id, s.name_key, min(s.AAC001) AS AAC001
    FROM sided AS s
    WHERE s.side = 'P' AND s.id IS NOT NULL AND s.name_key IS NOT NULL
    GROUP BY s.id, s.name_key
    HAVING count(*) = 1
),
by_number AS (
    SELECT s.number, min(s.AAC001) AS AAC001
    FROM sided AS s
    WHERE s.side = 'P' AND s.number IS NOT NULL
    GROUP BY s.number
    HAVING count(*) = 1
)
SELECT s.AAC001, s.person_key, s.number, s.id_text, s.id, s.sound, s.confirmed, s.name, s.name_key, s.sex, s.birth, s.side,
       CASE WHEN s.side = 'U' THEN coalesce(k.AAC001, b.AAC001, s.AAC001) ELSE s.AAC001 END AS home
FROM sided AS s
LEFT JOIN by_number AS k ON k.number = s.pension_number
LEFT JOIN by_id AS b ON b.id = s.id AND b.name_key = s.name_key
