-- id: MIS-12
-- title: 备份与现库不一致 / a backup differs from the current row
-- advice: 不得用备份覆盖现库；并列核对，凭档案定夺 / never overwrite the current row from a backup; compare both and decide by the file
-- severity: E
-- repair: V
-- department: 信息
-- evidence: 备份差异、档案
-- basis: reference 5.5, 5.8 INV-06
-- table: AC01
-- column: AAC007
-- effect: none
-- among: AAC999 IS NOT NULL AND AAC007 IS NOT NULL
-- needs: ext_backup_person
WITH
-- The date of the first job is no rule's to propose (INV-06): both values stand in the evidence.
latest AS (
    SELECT b.AAC999, b.AAC007, b.backup, b.taken, id('person', b.AAC999) AS AAC001,
           row_number() OVER (PARTITION BY id('person', b.AAC999) ORDER BY b.taken DESC NULLS LAST, b.backup DESC, b.AAC007) AS nth,
           count(*) OVER (PARTITION BY id('person', b.AAC999), b.taken, b.backup) AS copies
    FROM ext_backup_person AS b
    WHERE b.AAC999 <> ''
)
SELECT p._key,
       min(concat('现库', CAST(p.AAC007 AS VARCHAR), '，备份', CAST(b.AAC007 AS VARCHAR), '（', b.backup, '）')) AS _evidence
FROM AC01 AS p
JOIN latest AS b ON b.AAC001 = p.AAC001 AND b.nth = 1 AND b.copies = 1
WHERE p.AAC007 <> b.AAC007
  AND NOT EXISTS (
      SELECT 1 FROM W_CHANGE_LOG AS c
      WHERE btrim(c.YWG002) = p.AAC999 AND replace(btrim(c.AAE124), '-', '') = replace(CAST(p.AAC007 AS VARCHAR), '-', ''))
GROUP BY p._key
