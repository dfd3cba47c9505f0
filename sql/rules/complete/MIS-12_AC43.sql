-- id: MIS-12
-- title: 备份与现库不一致 / a backup differs from the current row
-- advice: 不得用备份覆盖现库；并列核对，凭档案定夺 / never overwrite the current row from a backup; compare both and decide by the file
-- severity: E
-- repair: V
-- department: 信息
-- evidence: 备份差异、缴费凭证
-- basis: reference 5.5
-- table: AC43
-- column: AAE022
-- effect: none
-- among: AAE140 IN ('110', '210') AND AAE002 IS NOT NULL AND AAE003 IS NOT NULL
-- needs: ext_backup_payment
-- params: tolerance = 0.05
WITH
latest AS (
    SELECT id('person', b.AAC999) AS AAC001, id('unit', b.AAB999) AS AAB001, b.AAE140, b.AAA115, coalesce(b.YAA115, '0') AS YAA115,
           b.AAE002, b.AAE003, b.AAE180, b.AAE020, b.AAE022, b.backup,
           row_number() OVER (PARTITION BY id('person', b.AAC999), id('unit', b.AAB999), b.AAE140, b.AAA115, coalesce(b.YAA115, '0'), b.AAE002, b.AAE003
                              ORDER BY b.taken DESC NULLS LAST, b.backup DESC, b.AAE020, b.AAE022) AS nth,
           count(*) OVER (PARTITION BY id('person', b.AAC999), id('unit', b.AAB999), b.AAE140, b.AAA115, coalesce(b.YAA115, '0'), b.AAE002, b.AAE003, b.taken, b.backup) AS copies
    FROM ext_backup_payment AS b
    WHERE b.AAE140 IN ('110', '210') AND b.AAC999 <> '' AND b.AAB999 <> ''
),
pair AS (
    SELECT d._key, d.AAE180, d.AAE020, d.AAE022, b.AAE180 AS b180, b.AAE020 AS b020, b.AAE022 AS b022, b.backup,
           -- Two rows of one key (MRG-05) cannot be told apart.
           count(*) OVER (PARTITION BY d.AAC001, d.AAB001, d.AAE140, d.AAA115, coalesce(d.YAA115, '0'), d.AAE002, d.AAE003) AS copies
    FROM AC43 AS d
    JOIN latest AS b
      ON b.AAC001 = d.AAC001 AND b.AAB001 = d.AAB001 AND b.AAE140 = d.AAE140 AND b.AAA115 = d.AAA115
     AND b.YAA115 = coalesce(d.YAA115, '0') AND b.AAE002 = d.AAE002 AND b.AAE003 = d.AAE003 AND b.nth = 1 AND b.copies = 1
    WHERE d.AAE140 IN ('110', '210')
)
SELECT x._key,
       min(concat(CASE WHEN abs(x.AAE180 - x.b180) > $tolerance THEN concat('基数：现库', CAST(x.AAE180 AS VARCHAR), '，备份', CAST(x.b180 AS VARCHAR), '；') ELSE '' END,
              CASE WHEN abs(x.AAE020 - x.b020) > $tolerance THEN concat('单位缴费：现库', CAST(x.AAE020 AS VARCHAR), '，备份', CAST(x.b020 AS VARCHAR), '；') ELSE '' END,
              CASE WHEN abs(x.AAE022 - x.b022) > $tolerance THEN concat('个人缴费：现库', CAST(x.AAE022 AS VARCHAR), '，备份', CAST(x.b022 AS VARCHAR), '；') ELSE '' END,
              '备份 ', x.backup)) AS _evidence
FROM pair AS x
WHERE x.copies = 1
  AND (abs(x.AAE180 - x.b180) > $tolerance OR abs(x.AAE020 - x.b020) > $tolerance OR abs(x.AAE022 - x.b022) > $tolerance)
GROUP BY x._key
