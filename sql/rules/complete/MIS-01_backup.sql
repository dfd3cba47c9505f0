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
-- adds: AC01
-- touches: AAC001, AAC999, AAC002, AAC058, AAC147, AAC003, AAC004, AAC005, AAC006, AAC007, AAC009, AAC010, AAC012
-- effect: add
-- among: AAE140 IN ('110', '210') AND AAC001 IS NOT NULL
-- needs: ext_backup_person
WITH
-- One row per lost person, so that the person comes once.
lost AS (
    SELECT d.AAC001, min(d.AAZ223) AS first_detail, count(*) AS details
    FROM AC43 AS d
    WHERE d.AAE140 IN ('110', '210') AND d.AAC001 IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM AC01 AS p WHERE p.AAC001 = d.AAC001)
    GROUP BY d.AAC001
),
held AS (
    SELECT id('person', b.AAC999) AS AAC001, b.*
    FROM ext_backup_person AS b
    WHERE b.AAC999 <> ''
),
-- The latest backup that holds the number; twice in it with different people, and a clerk decides.
ordered AS (
    SELECT h.*,
           row_number() OVER (PARTITION BY h.AAC001 ORDER BY h.taken DESC NULLS LAST, h.backup DESC, h.AAC147, h.AAC003, h.AAC006) AS nth,
           min(concat_ws('|', h.AAC147, h.AAC003)) OVER (PARTITION BY h.AAC001, h.taken, h.backup) AS one_end,
           max(concat_ws('|', h.AAC147, h.AAC003)) OVER (PARTITION BY h.AAC001, h.taken, h.backup) AS other_end
    FROM held AS h
)
SELECT key_text(l.first_detail) AS _key,
       l.AAC001 AS AAC001,
       b.AAC999 AS AAC999,
       CASE WHEN coalesce(b.AAC058, '01') = '01' AND id_valid(b.AAC147) THEN b.AAC147 END AS AAC002,
       b.AAC058 AS AAC058,
       b.AAC147 AS AAC147,
       b.AAC003 AS AAC003,
       b.AAC004 AS AAC004,
       b.AAC005 AS AAC005,
       b.AAC006 AS AAC006,
       b.AAC007 AS AAC007,
       b.AAC009 AS AAC009,
       b.AAC010 AS AAC010,
       b.AAC012 AS AAC012,
       CASE WHEN b.one_end <> b.other_end THEN 'V' END AS _repair,
       concat('备份 ', b.backup, '，SHA-256 ', b.digest, '；涉及明细', CAST(l.details AS VARCHAR), '条',
              CASE WHEN b.one_end <> b.other_end THEN '；同一备份内该编号有不同人员' ELSE '' END) AS _evidence,
       CAST(l.AAC001 AS VARCHAR) AS _group
FROM lost AS l
JOIN ordered AS b ON b.AAC001 = l.AAC001 AND b.nth = 1
