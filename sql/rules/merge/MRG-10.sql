-- id: MRG-10
-- title: 单位合并后台账重复 / unit ledgers that become duplicates when their units are merged
-- advice: 单位合并（MRG-09）核定后，按明细重汇保留单位的台账 / after the merge of the units (MRG-09) is decided, sum up the surviving unit's ledger again from its details
-- severity: E
-- repair: A1
-- department: 经办
-- evidence: 明细汇总、凭证
-- basis: reference 5.7
-- table: AB07
-- column: YAE518
-- effect: merge
-- among: AAE140 IN ('110', '210')
WITH
-- The units of MRG-09, by the same two signs.
unit AS (
    SELECT u.AAB001, replace(half_width(u.AAB004), ' ', '') AS name, u.AAB999, u.AAE119, u.AAE047,
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
ranked AS (
    SELECT u.AAB001, u.name, u.uscc, u.regno,
           row_number() OVER (ORDER BY CASE WHEN u.AAE119 IN ('2', '3') THEN 1 ELSE 0 END,
                                       CASE WHEN a.insurances > 0 THEN 0 ELSE 1 END,
                                       u.AAE047 ASC NULLS LAST, character_length(u.AAB999), u.AAB999, u.AAB001) AS place
    FROM unit AS u
    LEFT JOIN active AS a ON a.AAB001 = u.AAB001
    WHERE u.nth = 1
),
alike AS (
    SELECT r.AAB001, first_value(r.AAB001) OVER (PARTITION BY r.uscc ORDER BY r.place) AS survivor, 1 AS by
    FROM ranked AS r
    WHERE character_length(r.uscc) = 18 AND replace(r.uscc, substr(r.uscc, 1, 1), '') <> ''
    UNION ALL
    SELECT r.AAB001, first_value(r.AAB001) OVER (PARTITION BY r.name, r.regno ORDER BY r.place), 2
    FROM ranked AS r
    WHERE character_length(r.regno) >= 6 AND replace(r.regno, substr(r.regno, 1, 1), '') <> '' AND r.name <> ''
),
donor AS (
    SELECT x.AAB001, x.survivor
    FROM (
        SELECT a.AAB001, a.survivor, row_number() OVER (PARTITION BY a.AAB001 ORDER BY a.by) AS nth
        FROM alike AS a
        WHERE a.AAB001 <> a.survivor
    ) AS x
    WHERE x.nth = 1
),
-- What makes two ledger rows the same; a reversal (YAE848) is a row of its own.
kept AS (
    SELECT t.AAB001, t.AAE140, t.AAE002, t.AAE003, t.AAA115, coalesce(t.YAA115, '0') AS origin, coalesce(t.AAC084, '0') AS retired,
           min(t._key) AS ledger_key
    FROM AB07 AS t
    JOIN (SELECT DISTINCT d.survivor FROM donor AS d) AS s ON s.survivor = t.AAB001
    WHERE t.YAE848 IS NULL
    GROUP BY t.AAB001, t.AAE140, t.AAE002, t.AAE003, t.AAA115, coalesce(t.YAA115, '0'), coalesce(t.AAC084, '0')
)
SELECT t._key, k.ledger_key AS _after_key, k.ledger_key AS _group,
       min(concat('应缴', CAST(t.AAB156 AS VARCHAR), '，', CAST(t.AAB119 AS VARCHAR), '人')) AS _evidence
FROM AB07 AS t
JOIN donor AS d ON d.AAB001 = t.AAB001
JOIN kept AS k ON k.AAB001 = d.survivor AND k.AAE140 = t.AAE140 AND k.AAE002 = t.AAE002 AND k.AAE003 = t.AAE003
              AND k.AAA115 = t.AAA115 AND k.origin = coalesce(t.YAA115, '0') AND k.retired = coalesce(t.AAC084, '0')
WHERE t.AAE140 IN ('110', '210') AND t.YAE848 IS NULL
GROUP BY t._key, k.ledger_key
