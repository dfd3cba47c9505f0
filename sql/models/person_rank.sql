-- row: a person number with what decides which of several numbers of one person survives (reference 5.7)
-- key: AAC001
WITH
-- place: 1 is the survivor among all numbers; comparing places of two numbers gives the survivor of the two. Which criterion comes before which
-- is data (tables/survivor.csv): each stands in the text `ranks` as {name}, and is replaced by how a number stands there, the lower the better.
rule AS (
    SELECT string_agg(concat('{', c.criterion, '}'), ' ' ORDER BY c.place) AS ranks
    FROM ref_survivor AS c
    WHERE c.of = 'person'
),
money AS (
    SELECT m.AAC001, sum(m.months) AS months, sum(m.owed) AS owed, max(m.last_month) AS last_month
    FROM person_months AS m
    GROUP BY m.AAC001
),
arrears AS (
    SELECT q.AAC001, count(*) AS owed
    FROM AD23 AS q
    WHERE q.AAC001 IS NOT NULL AND (q.AAB165 IS DISTINCT FROM '4') AND coalesce(q.AAE020, 0) + coalesce(q.AAE022, 0) > 0
    GROUP BY q.AAC001
),
benefit AS (
    SELECT x.AAC001, max(CASE WHEN x.AAE116 = '1' THEN 1 ELSE 0 END) AS paying
    FROM (
        SELECT r.AAC001, r.AAE116 FROM IC10 AS r
        UNION ALL
        SELECT t.AAC001, t.AAE116 FROM AC60 AS t
    ) AS x
    WHERE x.AAC001 IS NOT NULL
    GROUP BY x.AAC001
),
earliest AS (
    SELECT r.AAC001, min(r.AAC049) AS first_month
    FROM AC02 AS r
    GROUP BY r.AAC001
),
fact AS (
    SELECT b.AAC001, b.person_key, b.number, b.confirmed,
           coalesce(t.paying, 0) AS paying, t.AAC001 IS NOT NULL AS has_benefit,
           coalesce(m.months, 0) AS months, f.first_month, m.last_month,
           coalesce(m.owed, 0) + coalesce(q.owed, 0) > 0 AS owes
    FROM person_by_id AS b
    LEFT JOIN benefit AS t ON t.AAC001 = b.AAC001
    LEFT JOIN money AS m ON m.AAC001 = b.AAC001
    LEFT JOIN arrears AS q ON q.AAC001 = b.AAC001
    LEFT JOIN earliest AS f ON f.AAC001 = b.AAC001
)
SELECT f.AAC001, f.person_key, f.number, f.confirmed, f.paying, f.has_benefit, f.months, f.first_month, f.last_month, f.owes,
       row_number() OVER (
           ORDER BY replace(replace(replace(replace(replace(r.ranks,
               '{confirmed}', CASE WHEN f.confirmed THEN '0' ELSE '1' END),
               '{paying}', CASE WHEN f.paying = 1 THEN '0' ELSE '1' END),
               '{months}', lpad(CAST(9999999 - f.months AS VARCHAR), 8, '0')),
               '{first_month}', lpad(coalesce(CAST(f.first_month AS VARCHAR), '999999'), 6, '0')),
               '{number}', concat(lpad(CAST(coalesce(character_length(f.number), 999) AS VARCHAR), 3, '0'), ' ', coalesce(f.number, ''))),
               character_length(f.number), f.number, f.AAC001) AS place
FROM fact AS f
CROSS JOIN rule AS r
