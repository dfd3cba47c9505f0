-- id: REC-10
-- title: 已恢复的关系未完整封存，或封存期间产生应收 / a restored relation is not frozen throughout, or contributions are due for the frozen months
-- advice: 补齐封存标志，撤销封存期间的应收 / complete the freeze marks and cancel what is due for the frozen months
-- severity: W
-- repair: A0
-- department: 审计
-- basis: reference 5.2 REC-10, 9.3
-- table: AC20
-- column: AAE121
-- effect: none
-- among: AAE121 = '1' AND AAE140 IN ('110', '210')
WITH
-- An assertion. Only the latest spell of a relation carries the freeze; an older one may have been frozen once.
latest AS (
    SELECT s.AAZ157, s._key AS spell_key, s.AAZ159, s.AAC001, s.AAE140, s.AAC031, s.AAE042, s.AAE121,
           row_number() OVER (PARTITION BY s.AAZ159 ORDER BY (s.AAE042 IS NULL) DESC, s.AAE041 DESC NULLS LAST, s.AAZ157 DESC) AS nth
    FROM AC20 AS s
),
due AS (
    SELECT m.AAC001, m.AAE140, max(m.last_owed) AS last_owed
    FROM person_unit_paid AS m
    WHERE m.owed > 0
    GROUP BY m.AAC001, m.AAE140
)
SELECT c._key,
       CASE WHEN d.last_owed > l.AAE042 THEN '封存期间有应收'
            WHEN coalesce(r.AAE121, '0') <> '1' THEN '参保关系无封存标志'
            ELSE '状态不是暂停' END AS _evidence
FROM AC20 AS c
JOIN latest AS l ON l.spell_key = c._key
JOIN AC02 AS r ON r.AAZ159 = l.AAZ159
LEFT JOIN due AS d ON d.AAC001 = l.AAC001 AND d.AAE140 = l.AAE140
WHERE l.nth = 1 AND c.AAE121 = '1' AND c.AAE140 IN ('110', '210')
  AND (coalesce(r.AAE121, '0') <> '1'
    -- (2,2) paused; (3,2) a pensioner whose benefit is suspended.
    OR coalesce(r.AAC008, '0') <> '2' OR coalesce(c.AAC031, '0') NOT IN ('2', '3')
    OR d.last_owed > l.AAE042)
