-- id: LOG-02
-- title: 人员参保状态与缴费状态组合不合法 / illegal pair of insurance state and payment state
-- advice: 按组合判定表更正；表中无对应值的，核对变动记录后更正 / correct by the decision table; where it names no value, by the change record
-- severity: B
-- repair: V
-- department: 经办
-- basis: reference 2.5, 5.6
-- table: AC02
-- column: AAC008
-- touches: AAC008
-- effect: change
-- among: AAE140 IN ('110', '210') AND AAC008 IS NOT NULL
WITH
-- The open spell, else the latest; of several that are equally late a legal one is enough.
ranked AS (
    SELECT s.AAZ159, s.AAC031,
           rank() OVER (PARTITION BY s.AAZ159
                        ORDER BY CASE WHEN s.AAE042 IS NULL THEN 0 ELSE 1 END, s.AAE041 DESC NULLS LAST) AS nth
    FROM AC20 AS s
    WHERE s.AAE140 IN ('110', '210')
),
latest AS (
    SELECT k.AAZ159, min(k.AAC031) AS AAC031, max(k.AAC031) AS other, count(*) AS spells, count(k.AAC031) AS told
    FROM ranked AS k
    WHERE k.nth = 1
    GROUP BY k.AAZ159
)
SELECT r._key,
       min(CASE WHEN l.AAC031 = l.other THEN a.proposed_AAC008 END) AS AAC008,
       CASE WHEN min(CASE WHEN l.AAC031 = l.other THEN a.proposed_AAC008 END) IS NOT NULL THEN 'A1' END AS _repair,
       min(concat('AAC031=', l.AAC031, CASE WHEN l.other <> l.AAC031 THEN concat('/', l.other) ELSE '' END,
                  ', AAC008=', r.AAC008)) AS _evidence
FROM AC02 AS r
JOIN latest AS l ON l.AAZ159 = r.AAZ159 AND l.told = l.spells
LEFT JOIN ref_state_pairs AS a ON a.AAC031 = l.AAC031 AND a.AAC008 = r.AAC008
LEFT JOIN ref_state_pairs AS b ON b.AAC031 = l.other AND b.AAC008 = r.AAC008
WHERE r.AAE140 IN ('110', '210') AND r.AAC008 IS NOT NULL
  AND coalesce(a.legal, '0') <> '1' AND coalesce(b.legal, '0') <> '1'
GROUP BY r._key
