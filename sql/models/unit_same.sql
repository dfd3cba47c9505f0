-- row: a unit number whose unit has another one, and the number that stays (5.7)
-- key: AAB001
WITH
-- A number of equal characters, and a registration number too short to be one, name nobody.
alike AS (
    SELECT r.AAB001, r.unit_key, r.AAB343,
           first_value(r.AAB001) OVER (PARTITION BY r.uscc ORDER BY r.place) AS survivor,
           first_value(r.unit_key) OVER (PARTITION BY r.uscc ORDER BY r.place) AS survivor_key,
           first_value(r.AAB999) OVER (PARTITION BY r.uscc ORDER BY r.place) AS survivor_number, 'A' AS by
    FROM unit_rank AS r
    WHERE character_length(r.uscc) = 18 AND replace(r.uscc, substr(r.uscc, 1, 1), '') <> ''
    UNION ALL
    SELECT r.AAB001, r.unit_key, r.AAB343,
           first_value(r.AAB001) OVER (PARTITION BY r.name, r.regno ORDER BY r.place),
           first_value(r.unit_key) OVER (PARTITION BY r.name, r.regno ORDER BY r.place),
           first_value(r.AAB999) OVER (PARTITION BY r.name, r.regno ORDER BY r.place), 'B'
    FROM unit_rank AS r
    WHERE character_length(r.regno) >= 6 AND replace(r.regno, substr(r.regno, 1, 1), '') <> '' AND r.name <> ''
),
donor AS (
    SELECT a.AAB001, a.unit_key, a.AAB343, a.survivor, a.survivor_key, a.survivor_number, a.by,
           row_number() OVER (PARTITION BY a.AAB001 ORDER BY a.by) AS nth
    FROM alike AS a
    WHERE a.AAB001 <> a.survivor
)
SELECT d.AAB001, d.unit_key, d.AAB343, d.survivor, d.survivor_key, d.survivor_number, d.by
FROM donor AS d
WHERE d.nth = 1
