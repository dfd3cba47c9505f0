-- id: MIS-01
-- title: 缴费明细无对应人员 / payment details without a person
-- advice: 先查历史备份，备份中有的批量恢复；没有的凭原始申报表补建 / look in the backups first and restore in a batch; what is in none is set up from the original declaration
-- severity: B
-- repair: V
-- department: 信息
-- evidence: 备份文件及摘要、原始申报表
-- basis: reference 5.5
-- table: AC43
-- column: AAC001
-- effect: none
-- among: AAE140 IN ('110', '210') AND AAC001 IS NOT NULL
SELECT DISTINCT d._key, CAST(d.AAC001 AS VARCHAR) AS _group
FROM AC43 AS d
WHERE d.AAE140 IN ('110', '210') AND d.AAC001 IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM AC01 AS p WHERE p.AAC001 = d.AAC001)
