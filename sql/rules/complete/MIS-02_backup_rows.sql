-- id: MIS-02
-- title: 缴费明细无对应单位 / payment details without a unit
-- advice: 先查历史备份，备份中有的批量恢复；没有的查登记档案补建 / look in the backups first and restore in a batch; what is in none is set up from the registration file
-- severity: B
-- repair: A1
-- department: 信息
-- evidence: 备份文件及摘要
-- basis: reference 5.5
-- table: AC43
-- column: AAB001
-- effect: none
-- among: AAE140 IN ('110', '210') AND AAB001 IS NOT NULL
-- needs: ext_backup_unit
WITH
-- The rows whose unit MIS-02_backup restores: nothing is left for a clerk when that batch is approved.
held AS (
    SELECT x.AAB001, max(x.units) AS units
    FROM (
        SELECT id('unit', b.AAB999) AS AAB001, b.taken, b.backup, count(DISTINCT coalesce(b.AAB004, '')) AS units,
               row_number() OVER (PARTITION BY id('unit', b.AAB999) ORDER BY b.taken DESC NULLS LAST, b.backup DESC) AS nth
        FROM ext_backup_unit AS b
        WHERE b.AAB999 <> ''
        GROUP BY id('unit', b.AAB999), b.taken, b.backup
    ) AS x
    WHERE x.nth = 1
    GROUP BY x.AAB001
)
SELECT DISTINCT d._key, CAST(d.AAB001 AS VARCHAR) AS _group
FROM AC43 AS d
JOIN held AS h ON h.AAB001 = d.AAB001 AND h.units = 1
WHERE d.AAE140 IN ('110', '210')
  AND NOT EXISTS (SELECT 1 FROM AB01 AS u WHERE u.AAB001 = d.AAB001)
