-- id: MIS-08
-- title: 离退休人员无参保明细 / a pensioner without a participation spell
-- advice: 凭退休审批表批量补建待遇人员关系；缴费单位不明的先核实 / add the pensioner's relation from the retirement approval; where the paying unit is not known, verify it first
-- severity: E
-- repair: A1
-- department: 养老
-- evidence: 退休审批表
-- basis: reference 5.5, 2.5
-- table: IC10
-- column: AAC001
-- adds: AC20
-- touches: AAZ157, AAZ159, AAC001, AAB001, AAE140, AAC031, AAE041, AAE042, AAC030, AAC084, AAE160, AAE013
-- effect: add
-- among: AAC001 IS NOT NULL
WITH
relation AS (
    SELECT r.AAC001, min(r.AAZ159) AS AAZ159, min(r.AAC049) AS first_month
    FROM AC02 AS r
    WHERE r.AAE140 = '110'
    GROUP BY r.AAC001
),
-- A pensioner whose relation is missing too gets that first (MIS-08_AC02), the spell in the next round.
bare AS (
    SELECT i.AAC001, min(i._key) AS _key, max(i.AAB001) AS AAB001, max(i.AIC162) AS retired, max(i.AAE210) AS first_benefit
    FROM IC10 AS i
    WHERE EXISTS (SELECT 1 FROM AC01 AS p WHERE p.AAC001 = i.AAC001)
      AND NOT EXISTS (SELECT 1 FROM AC20 AS s WHERE s.AAC001 = i.AAC001 AND s.AAE140 = '110')
    GROUP BY i.AAC001
),
-- The unit that paid last, and the first month.
payer AS (
    SELECT d.AAC001, last_value(d.AAB001 ORDER BY d.AAE003, d.AAE002, d.AAZ223) AS AAB001, min(d.AAE003) AS first_month
    FROM AC43 AS d
    WHERE d.AAE140 = '110' AND d.AAE078 = '1' AND d.AAA115 <> '20' AND coalesce(d.YAA115, '0') <> '3' AND coalesce(d.AAE017, '0') <> '1'
      AND EXISTS (SELECT 1 FROM bare AS b WHERE b.AAC001 = d.AAC001)
      AND EXISTS (SELECT 1 FROM AB01 AS u WHERE u.AAB001 = d.AAB001)
    GROUP BY d.AAC001
),
found AS (
    SELECT b._key, b.AAC001, r.AAZ159, coalesce(b.AAB001, y.AAB001) AS AAB001,
           coalesce(date_period(b.retired), period_add(b.first_benefit, -1)) AS last_month,
           coalesce(r.first_month, y.first_month) AS first_month
    FROM bare AS b
    JOIN relation AS r ON r.AAC001 = b.AAC001
    LEFT JOIN payer AS y ON y.AAC001 = b.AAC001
)
SELECT f._key,
       id('spell', 'MIS-08', f.AAC001, '110') AS AAZ157,
       f.AAZ159 AS AAZ159,
       f.AAC001 AS AAC001,
       f.AAB001 AS AAB001,
       '110' AS AAE140,
       '3' AS AAC031,
       least(f.first_month, f.last_month) AS AAE041,
       f.last_month AS AAE042,
       period_date(least(f.first_month, f.last_month)) AS AAC030,
       '1' AS AAC084,
       '6501' AS AAE160,
       '来源：补（据退休审批补建）' AS AAE013,
       CASE WHEN f.AAB001 IS NULL OR f.last_month IS NULL THEN 'V' END AS _repair,
       concat('退休年月', coalesce(CAST(f.last_month AS VARCHAR), '空'), CASE WHEN f.AAB001 IS NULL THEN '，缴费单位不明' ELSE '' END) AS _evidence,
       CAST(f.AAC001 AS VARCHAR) AS _group
FROM found AS f
