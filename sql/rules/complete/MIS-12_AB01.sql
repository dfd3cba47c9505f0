-- id: MIS-12
-- title: 备份与现库不一致 / a backup differs from the current row
-- advice: 不得用备份覆盖现库；并列核对，凭档案定夺 / never overwrite the current row from a backup; compare both and decide by the file
-- severity: E
-- repair: V
-- department: 信息
-- evidence: 备份差异、市监登记
-- basis: reference 5.5
-- table: AB01
-- column: AAB003
-- effect: none
-- among: AAB999 IS NOT NULL AND (AAB003 IS NOT NULL OR AAB998 IS NOT NULL)
-- needs: ext_backup_unit
WITH
-- Only what says which unit it is: names, addresses and types change in the course of business.
latest AS (
    SELECT b.AAB999, b.AAB998, replace(b.AAB003, '-', '') AS AAB003, b.backup, id('unit', b.AAB999) AS AAB001,
           row_number() OVER (PARTITION BY id('unit', b.AAB999) ORDER BY b.taken DESC NULLS LAST, b.backup DESC, b.AAB004) AS nth,
           count(*) OVER (PARTITION BY id('unit', b.AAB999), b.taken, b.backup) AS copies
    FROM ext_backup_unit AS b
    WHERE b.AAB999 <> ''
),
pair AS (
    SELECT u._key, b.backup, u.AAB003 AS org_now, b.AAB003 AS org_then, u.AAB998 AS credit_now, b.AAB998 AS credit_then,
           -- What is not sound is a matter of FIX-06 and FIX-07.
           orgcode_valid(u.AAB003) AND orgcode_valid(b.AAB003) AND u.AAB003 <> b.AAB003 AS org_differs,
           uscc_valid(u.AAB998) AND uscc_valid(b.AAB998) AND u.AAB998 <> b.AAB998 AS credit_differs
    FROM AB01 AS u
    JOIN latest AS b ON b.AAB001 = u.AAB001 AND b.nth = 1 AND b.copies = 1
)
SELECT x._key,
       min(concat(CASE WHEN x.org_differs THEN concat('组织机构代码：现库', x.org_now, '，备份', x.org_then, '；') ELSE '' END,
              CASE WHEN x.credit_differs THEN concat('信用代码：现库', x.credit_now, '，备份', x.credit_then, '；') ELSE '' END,
              '备份 ', x.backup)) AS _evidence
FROM pair AS x
WHERE x.org_differs OR x.credit_differs
GROUP BY x._key
