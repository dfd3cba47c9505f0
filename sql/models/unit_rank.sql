-- row: a unit number with what decides which of several numbers of one unit survives (reference 5.7)
-- key: AAB001
WITH
-- place and ranks: as in person_rank. Each unit has one place, so that the same number survives whatever two are compared.
rule AS (
    SELECT string_agg(concat('{', c.criterion, '}'), ' ' ORDER BY c.place) AS ranks
    FROM ref_survivor AS c
    WHERE c.of = 'unit'
),
unit AS (
    SELECT u.AAB001, u._key AS unit_key, u.AAB999, u.AAE119, u.AAE047, u.AAB343,
           replace(half_width(u.AAB004), ' ', '') AS name,
           upper(btrim(half_width(u.AAB998))) AS uscc, upper(btrim(half_width(u.AAB007))) AS regno,
           row_number() OVER (PARTITION BY u.AAB001 ORDER BY u.AAB004, u.AAB998, u.AAB007, u.AAB999) AS nth
    FROM AB01 AS u
),
active AS (
    SELECT r.AAB001, count(*) AS insurances
    FROM AB02 AS r
    WHERE r.AAB051 = '1'
    GROUP BY r.AAB001
)
SELECT u.AAB001, u.unit_key, u.AAB999, u.AAB343, u.name, u.uscc, u.regno,
       row_number() OVER (
           ORDER BY replace(replace(replace(replace(r.ranks,
               '{registered}', CASE WHEN u.AAE119 IN ('2', '3') THEN '1' ELSE '0' END),
               '{insured}', CASE WHEN a.insurances > 0 THEN '0' ELSE '1' END),
               '{founded}', coalesce(CAST(u.AAE047 AS VARCHAR), '9999-12-31')),
               '{number}', concat(lpad(CAST(coalesce(character_length(u.AAB999), 999) AS VARCHAR), 3, '0'), ' ', coalesce(u.AAB999, ''))),
               character_length(u.AAB999), u.AAB999, u.AAB001) AS place
FROM unit AS u
LEFT JOIN active AS a ON a.AAB001 = u.AAB001
CROSS JOIN rule AS r
WHERE u.nth = 1
