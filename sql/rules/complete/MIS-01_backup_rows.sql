-- id: MIS-01
-- title: 缴费明细无对应人员 / payment details without a person
-- advice: 先查历史备份，备份中有的批量恢复；没有的凭原始申报表补建 / look in the backups first and restore in a batch; what is in none is set up from the original declaration
-- severity: B
-- repair: A1
-- department: 信息
-- evidence: 备份文件及摘要
-- basis: reference 5.5
-- table: AC43
-- column: AAC001
-- effect: none
-- among: AAE140 IN ('110', '210') AND AAC001 IS NOT NULL
-- needs: ext_backup_person
WITH
-- The rows whose person MIS-01_backup restores: nothing is left for a clerk when that batch is approved.
held AS (
    SELECT x.AAC001, max(x.people) AS people
    FROM (
        SELECT id('person', b.AAC999) AS AAC001, b.taken, b.backup, count(DISTINCT concat_ws('|', b.AAC147, b.AAC003)) AS people,
               row_number() OVER (PARTITION BY id('person', b.AAC999) ORDER BY b.taken DESC NULLS LAST, b.backup DESC) AS nth
        FROM ext_backup_person AS b
        WHERE b.AAC999 <> ''
        GROUP BY id('person', b.AAC999), b.taken, b.backup
    ) AS x
    WHERE x.nth = 1
    GROUP BY x.AAC001
)
SELECT DISTINCT d._key, CAST(d.AAC001 AS VARCHAR) AS _group
FROM AC43 AS d
JOIN held AS h ON h.AAC001 = d.AAC001 AND h.people = 1
WHERE d.AAE140 IN ('110', '210')
  AND NOT EXISTS (SELECT 1 FROM AC01 AS p WHERE p.AAC001 = d.AAC001)
