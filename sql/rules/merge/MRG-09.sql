-- id: MRG-09
-- title: 同一单位有多个单位编号 / several numbers of one unit
-- advice: 对照市监登记确认后合并，原编号作为别名保留，并核对人员 / confirm by the market regulator's register and merge, keep the old number as an alias, check the members
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 市监
-- basis: reference 5.7
-- table: AB01
-- column: AAB999
-- effect: merge
-- among: AAB998 IS NOT NULL OR AAB007 IS NOT NULL
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
    SELECT r.unit_key, r.place, r.AAB343,
           first_value(r.unit_key) OVER (PARTITION BY r.uscc ORDER BY r.place) AS survivor,
           first_value(r.AAB999) OVER (PARTITION BY r.uscc ORDER BY r.place) AS survivor_number, 'A' AS by
    FROM ranked AS r
    WHERE character_length(r.uscc) = 18 AND replace(r.uscc, substr(r.uscc, 1, 1), '') <> ''
    UNION ALL
    SELECT r.unit_key, r.place, r.AAB343,
           first_value(r.unit_key) OVER (PARTITION BY r.name, r.regno ORDER BY r.place),
           first_value(r.AAB999) OVER (PARTITION BY r.name, r.regno ORDER BY r.place), 'B'
    FROM ranked AS r
    WHERE character_length(r.regno) >= 6 AND replace(r.regno, substr(r.regno, 1, 1), '') <> '' AND r.name <> ''
),
donor AS (
    SELECT a.unit_key, a.survivor, a.survivor_number, a.AAB343, a.by,
           row_number() OVER (PARTITION BY a.unit_key ORDER BY a.by) AS nth
    FROM alike AS a
    WHERE a.unit_key <> a.survivor
)
SELECT d.unit_key AS _key, d.survivor AS _after_key, d.survivor AS _group,
       concat(CASE d.by WHEN 'A' THEN '统一社会信用代码相同' ELSE '名称和注册号相同' END,
              CASE WHEN d.AAB343 = d.survivor_number THEN '，登记为下级单位' ELSE '' END) AS _evidence
FROM donor AS d
WHERE d.nth = 1
