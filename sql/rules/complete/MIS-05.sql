-- id: MIS-05
-- title: 有单位台账、无（或缺）缴费明细 / a row of the unit ledger whose details are missing
-- advice: 查同期备份和纸质核定表；不得按台账倒推明细 / look for a backup or the paper assessment of the same period; details are never made from the ledger
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 备份文件及摘要、纸质核定表
-- basis: reference 5.5, 3.19
-- table: AB07
-- column: AAB119
-- effect: none
-- among: AAE140 IN ('110', '210') AND (AAB119 > 0 OR AAB156 <> 0)
-- params: tolerance = 0.05
WITH
-- A reversal and what it reverses need no details of their own.
reversed AS (SELECT DISTINCT r.YAE848 AS YAE518 FROM AB07 AS r WHERE r.YAE848 IS NOT NULL)
SELECT l._key,
       min(CASE WHEN u.details IS NULL THEN concat('台账人数', coalesce(CAST(l.AAB119 AS VARCHAR), '空'), '，无明细')
            ELSE concat('台账人数', CAST(l.AAB119 AS VARCHAR), '，明细', CAST(u.details AS VARCHAR), '条；明细金额少于台账')
       END) AS _evidence,
       min(concat(CAST(l.AAB001 AS VARCHAR), ' ', l.AAE140, ' ', CAST(l.AAE002 AS VARCHAR))) AS _group
FROM AB07 AS l
LEFT JOIN unit_details AS u
       ON u.AAB001 = l.AAB001 AND u.AAE140 = l.AAE140 AND u.AAE002 = l.AAE002 AND u.AAE003 = l.AAE003
      AND u.AAA115 = l.AAA115 AND u.AAC084 = coalesce(l.AAC084, '0')
WHERE l.AAE140 IN ('110', '210') AND (l.AAB119 > 0 OR l.AAB156 <> 0)
  AND l.AAE002 IS NOT NULL AND l.AAE003 IS NOT NULL AND l.AAA115 IS NOT NULL AND l.YAE848 IS NULL
  AND EXISTS (SELECT 1 FROM AB01 AS b WHERE b.AAB001 = l.AAB001)
  AND NOT EXISTS (SELECT 1 FROM reversed AS v WHERE v.YAE518 = l.YAE518)
  -- Fewer details than persons, and their money short: a part of them is lost (3.19); everything else that differs is LED-01.
  AND (u.details IS NULL
       OR (u.details < l.AAB119 AND abs(coalesce(l.AAB150, 0) + coalesce(l.AAB152, 0)) > abs(u.unit_part + u.person_part) + $tolerance))
GROUP BY l._key
