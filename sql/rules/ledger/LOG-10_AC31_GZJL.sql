-- id: LOG-10
-- title: 视同缴费与实际缴费月数矛盾 / deemed and actual months contradict each other
-- advice: 对照档案核定视同缴费年限，视同月数只能由养老部门更正 / decide the deemed months by the personal file; only the pension section may correct them
-- severity: E
-- repair: V
-- department: 养老
-- evidence: 档案
-- basis: reference 4.8, 5.6
-- table: AC31_GZJL
-- column: AAE042
-- effect: none
-- among: AAE140 = '110' AND AAE042 IS NOT NULL
-- params: last = 199506
WITH
-- Ex-servicemen and people from public institutions have deemed months after accounts began.
excepted AS (
    SELECT p.AAC001 FROM AC01 AS p WHERE p.AAC064 IN ('1', '2')
    UNION
    SELECT r.AAC001 FROM IC10 AS r WHERE r.AAC064 IN ('1', '2') OR r.AIC161 = '8'
    UNION
    SELECT r.AAC001 FROM AC02 AS r WHERE r.AAE140 = '120'
),
deemed AS (
    SELECT t._key, t.AAC001, t.AAE041, t.AAE042
    FROM AC31_GZJL AS t
    WHERE t.AAE140 = '110' AND t.AAE042 IS NOT NULL
),
-- Months paid here or elsewhere that lie within a deemed spell.
paid AS (
    SELECT t._key, min(d.AAE003) AS first_month, count(*) AS details
    FROM deemed AS t
    JOIN AC43 AS d ON d.AAC001 = t.AAC001
    WHERE d.AAE140 = '110' AND d.AAE078 = '1' AND (d.AAE017 IS DISTINCT FROM '1')
      AND d.AAA115 IN ('10', '31', '32', '33', '90') AND (d.YAA115 IS DISTINCT FROM '2')
      AND d.AAE003 <= t.AAE042
      AND coalesce(d.AAE042, period_add(d.AAE003, coalesce(d.AAE201, 1) - 1)) >= t.AAE041
    GROUP BY t._key
)
SELECT t._key, min(CAST(t.AAC001 AS VARCHAR)) AS _group,
       min(CASE WHEN p.details > 0
            THEN concat('视同', CAST(t.AAE041 AS VARCHAR), '-', CAST(t.AAE042 AS VARCHAR), '与实际缴费重叠，最早', CAST(p.first_month AS VARCHAR))
            ELSE concat('视同止于', CAST(t.AAE042 AS VARCHAR))
       END) AS _evidence
FROM AC31_GZJL AS t
LEFT JOIN paid AS p ON p._key = t._key
LEFT JOIN excepted AS e ON e.AAC001 = t.AAC001
WHERE t.AAE140 = '110' AND t.AAE042 IS NOT NULL
  AND (p.details > 0 OR (t.AAE042 > $last AND e.AAC001 IS NULL))
GROUP BY t._key
