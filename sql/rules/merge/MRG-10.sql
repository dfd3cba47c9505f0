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
-- What makes two ledger rows the same; a reversal (YAE848) is a row of its own.
kept AS (
    SELECT t.AAB001, t.AAE140, t.AAE002, t.AAE003, t.AAA115, coalesce(t.YAA115, '0') AS origin, coalesce(t.AAC084, '0') AS retired,
           min(t._key) AS ledger_key
    FROM AB07 AS t
    JOIN (SELECT DISTINCT d.survivor FROM unit_same AS d) AS s ON s.survivor = t.AAB001
    WHERE t.YAE848 IS NULL
    GROUP BY t.AAB001, t.AAE140, t.AAE002, t.AAE003, t.AAA115, coalesce(t.YAA115, '0'), coalesce(t.AAC084, '0')
)
SELECT t._key, k.ledger_key AS _after_key, k.ledger_key AS _group,
       min(concat('应缴', CAST(t.AAB156 AS VARCHAR), '，', CAST(t.AAB119 AS VARCHAR), '人')) AS _evidence
FROM AB07 AS t
JOIN unit_same AS d ON d.AAB001 = t.AAB001
JOIN kept AS k ON k.AAB001 = d.survivor AND k.AAE140 = t.AAE140 AND k.AAE002 = t.AAE002 AND k.AAE003 = t.AAE003
              AND k.AAA115 = t.AAA115 AND k.origin = coalesce(t.YAA115, '0') AND k.retired = coalesce(t.AAC084, '0')
WHERE t.AAE140 IN ('110', '210') AND t.YAE848 IS NULL
GROUP BY t._key, k.ledger_key
