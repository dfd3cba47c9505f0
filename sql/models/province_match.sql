-- row: a line of the province's problem list, how many persons or units here it may be about, and which one where it is one
-- key: line
WITH
-- A line about nobody's number, ID and name is about a unit. Nothing of a line is trusted alone: a number stands with its name, a name with its unit;
-- an ID alone will do, since what is wrong may be the name, and a number alone where the line has nothing else.
problem AS (
    SELECT row_number() OVER (ORDER BY x.problem, x.AAC147, x.AAC999, x.AAC003, x.AAB999, x.AAB004, x.field, x.what, x.seen, x.asked) AS line,
           x.problem, x.rule, x.what, upper(btrim(half_width(x.field))) AS field, btrim(half_width(x.seen)) AS seen, btrim(half_width(x.asked)) AS asked,
           CASE WHEN id_check(upper(btrim(half_width(x.AAC147)))) = 'ok15' THEN id18(upper(btrim(half_width(x.AAC147))))
                ELSE upper(btrim(half_width(x.AAC147))) END AS id,
           CASE WHEN btrim(x.AAC003) <> '' THEN name_key(btrim(half_width(x.AAC003))) END AS name_key,
           nullif(btrim(half_width(x.AAC999)), '') AS number, nullif(btrim(half_width(x.AAB999)), '') AS unit,
           nullif(replace(half_width(x.AAB004), ' ', ''), '') AS unit_name
    FROM ext_province_problem AS x
),
known AS (
    SELECT b.AAC001, b.person_key, b.number, b.id, b.name_key, b.home
    FROM person_by_id AS b
),
unit AS (
    SELECT u.AAB001, min(u._key) AS unit_key, min(u.AAB999) AS AAB999, min(replace(half_width(u.AAB004), ' ', '')) AS name
    FROM AB01 AS u
    GROUP BY u.AAB001
),
employed AS (
    SELECT DISTINCT s.AAC001, u.AAB999, u.name
    FROM AC20 AS s
    JOIN unit AS u ON u.AAB001 = s.AAB001
),
candidate AS (
    SELECT p.line, k.person_key AS found,
           CASE WHEN k.number = p.number AND k.name_key = p.name_key THEN 1 WHEN k.name_key = p.name_key THEN 2
                WHEN k.number = p.number THEN 3 ELSE 5 END AS rank
    FROM problem AS p
    JOIN known AS k ON k.id = p.id
    -- Of the two numbers of one person that of the pension system stands for him, unless the line names the other.
    WHERE k.home = k.AAC001 OR k.number = p.number
    UNION ALL
    SELECT p.line, k.person_key, CASE WHEN k.name_key = p.name_key THEN 4 ELSE 7 END
    FROM problem AS p
    JOIN known AS k ON k.number = p.number
    WHERE k.name_key = p.name_key OR (p.name_key IS NULL AND coalesce(p.id, '') = '')
    UNION ALL
    SELECT p.line, k.person_key, 6
    FROM problem AS p
    JOIN known AS k ON k.name_key = p.name_key
    JOIN employed AS e ON e.AAC001 = k.AAC001 AND (e.AAB999 = p.unit OR e.name = p.unit_name)
    WHERE k.home = k.AAC001
),
of_unit AS (
    SELECT p.line, u.unit_key AS found, CASE WHEN u.AAB999 = p.unit THEN 1 ELSE 2 END AS rank
    FROM problem AS p
    JOIN unit AS u ON u.AAB999 = p.unit OR u.name = p.unit_name
    WHERE p.name_key IS NULL AND p.number IS NULL AND coalesce(p.id, '') = ''
),
ranked AS (
    SELECT c.line, 'AC01' AS "table", c.found, c.rank, min(c.rank) OVER (PARTITION BY c.line) AS best
    FROM candidate AS c
    UNION ALL
    SELECT o.line, 'AB01', o.found, o.rank, min(o.rank) OVER (PARTITION BY o.line)
    FROM of_unit AS o
),
best AS (
    SELECT r.line, min(r."table") AS "table", min(r.rank) AS rank, count(DISTINCT r.found) AS candidates, min(r.found) AS found
    FROM ranked AS r
    WHERE r.rank = r.best
    GROUP BY r.line
)
SELECT p.line, p.problem, p.rule, p.what, p.field, p.seen, p.asked, b."table", coalesce(b.candidates, 0) AS candidates,
       CASE WHEN b.candidates = 1 THEN b.found END AS _key,
       CASE WHEN b."table" = 'AB01' THEN CASE b.rank WHEN 1 THEN 'unit_number' ELSE 'unit_name' END
            ELSE CASE b.rank WHEN 1 THEN 'id_name_number' WHEN 2 THEN 'id_name' WHEN 3 THEN 'id_number' WHEN 4 THEN 'number_name' WHEN 5 THEN 'id'
                             WHEN 6 THEN 'name_unit' WHEN 7 THEN 'number' END END AS matched,
       -- The rule that finds it: one for each field that has one, else that of the row.
       CASE WHEN b."table" = 'AB01' THEN 'PRV-05'
            WHEN p.field = 'AAC147' THEN 'PRV-02' WHEN p.field = 'AAC003' THEN 'PRV-03' WHEN p.field = 'AAC006' THEN 'PRV-04' ELSE 'PRV-01' END AS finds
FROM problem AS p
LEFT JOIN best AS b ON b.line = p.line
