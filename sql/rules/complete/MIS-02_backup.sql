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
-- adds: AB01
-- touches: AAB001, AAB999, AAB004, AAB998, AAB003, AAB019, AAB020, AAB021, AAB022, AAB301
-- effect: add
-- among: AAE140 IN ('110', '210') AND AAB001 IS NOT NULL
-- needs: ext_backup_unit
WITH
-- One row per lost unit, so that the unit comes once.
lost AS (
    SELECT d.AAB001, min(d.AAZ223) AS first_detail, count(*) AS details
    FROM AC43 AS d
    WHERE d.AAE140 IN ('110', '210') AND d.AAB001 IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM AB01 AS u WHERE u.AAB001 = d.AAB001)
    GROUP BY d.AAB001
),
held AS (
    SELECT id('unit', b.AAB999) AS AAB001, b.*
    FROM ext_backup_unit AS b
    WHERE b.AAB999 <> ''
),
-- The latest backup that holds the number; twice in it with different names, and a clerk decides.
ordered AS (
    SELECT h.*,
           row_number() OVER (PARTITION BY h.AAB001 ORDER BY h.taken DESC NULLS LAST, h.backup DESC, h.AAB004, h.AAB003) AS nth,
           min(h.AAB004) OVER (PARTITION BY h.AAB001, h.taken, h.backup) AS one_end,
           max(h.AAB004) OVER (PARTITION BY h.AAB001, h.taken, h.backup) AS other_end
    FROM held AS h
)
SELECT key_text(l.first_detail) AS _key,
       l.AAB001 AS AAB001,
       b.AAB999 AS AAB999,
       b.AAB004 AS AAB004,
       b.AAB998 AS AAB998,
       replace(b.AAB003, '-', '') AS AAB003,
       b.AAB019 AS AAB019,
       b.AAB020 AS AAB020,
       b.AAB021 AS AAB021,
       b.AAB022 AS AAB022,
       b.AAB301 AS AAB301,
       CASE WHEN b.one_end <> b.other_end THEN 'V' END AS _repair,
       concat('备份 ', b.backup, '，SHA-256 ', b.digest, '；涉及明细', CAST(l.details AS VARCHAR), '条',
              CASE WHEN b.one_end <> b.other_end THEN '；同一备份内该编号有不同单位' ELSE '' END) AS _evidence,
       CAST(l.AAB001 AS VARCHAR) AS _group
FROM lost AS l
JOIN ordered AS b ON b.AAB001 = l.AAB001 AND b.nth = 1
