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
SELECT l._key,
       min(CASE WHEN s.details IS NULL THEN concat('台账人数', coalesce(CAST(s.persons AS VARCHAR), '空'), '，无明细')
                ELSE concat('台账人数', CAST(s.persons AS VARCHAR), '，明细', CAST(s.details AS VARCHAR), '条；明细金额少于台账') END) AS _evidence,
       min(concat(CAST(s.AAB001 AS VARCHAR), ' ', s.AAE140, ' ', CAST(s.AAE002 AS VARCHAR))) AS _group
FROM AB07 AS l
JOIN short_ledger AS s ON s.YAE518 = l.YAE518
GROUP BY l._key
