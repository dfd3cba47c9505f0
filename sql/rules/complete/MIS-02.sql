-- id: MIS-02
-- title: 缴费明细无对应单位 / payment details without a unit
-- advice: 先查历史备份，备份中有的批量恢复；没有的查登记档案补建 / look in the backups first and restore in a batch; what is in none is set up from the registration file
-- severity: B
-- repair: V
-- department: 信息
-- evidence: 备份文件及摘要、单位登记档案
-- basis: reference 5.5
-- table: AC43
-- column: AAB001
-- effect: none
-- among: AAE140 IN ('110', '210') AND AAB001 IS NOT NULL
SELECT DISTINCT d._key, CAST(d.AAB001 AS VARCHAR) AS _group
FROM AC43 AS d
WHERE d.AAE140 IN ('110', '210') AND d.AAB001 IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM AB01 AS u WHERE u.AAB001 = d.AAB001)
