-- row: a unit number whose unit has another one, and the number that stays (5.7)
-- key: AAB001
WITH unit AS (
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
),
-- One place for every unit: registered before cancelled, insured before not, older before younger, smaller number.
ranked AS (
    SELECT u.AAB001, u.unit_key, u.AAB999, u.AAB343, u.name, u.uscc, u.regno,
           row_number() OVER (ORDER BY CASE WHEN u.AAE119 IN ('2', '3') THEN 1 ELSE 0 END,
                                       CASE WHEN a.insurances > 0 THEN 0 ELSE 1 END,
                                       u.AAE047 ASC NULLS LAST, character_length(u.AAB999), u.AAB999, u.AAB001) AS place
    FROM unit AS u
    LEFT JOIN active AS a ON a.AAB001 = u.AAB001
    WHERE u.nth = 1
),
-- A number of equal characters, and a registration number too short to be one, name nobody.
alike AS (
    SELECT r.AAB001, r.unit_key, r.AAB343,
           first_value(r.AAB001) OVER (PARTITION BY r.uscc ORDER BY r.place) AS survivor,
           first_value(r.unit_key) OVER (PARTITION BY r.uscc ORDER BY r.place) AS survivor_key,
           first_value(r.AAB999) OVER (PARTITION BY r.uscc ORDER BY r.place) AS survivor_number, 'A' AS by
    FROM ranked AS r
    WHERE character_length(r.uscc) = 18 AND replace(r.uscc, substr(r.uscc, 1, 1), '') <> ''
    UNION ALL
    SELECT r.AAB001, r.unit_key, r.AAB343,
           first_value(r.AAB001) OVER (PARTITION BY r.name, r.regno ORDER BY r.place),
           first_value(r.unit_key) OVER (PARTITION BY r.name, r.regno ORDER BY r.place),
           first_value(r.AAB999) OVER (PARTITION BY r.name, r.regno ORDER BY r.place), 'B'
    FROM ranked AS r
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
