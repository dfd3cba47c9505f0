-- id: MIS-12
-- title: 备份与现库不一致 / a backup differs from the current row
-- advice: 不得用备份覆盖现库；并列核对，凭档案定夺 / never overwrite the current row from a backup; compare both and decide by the file
-- severity: E
-- repair: V
-- department: 信息
-- evidence: 备份差异、变动表
-- basis: reference 5.5
-- table: AC20
-- column: AAE042
-- effect: none
-- among: AAE140 IN ('110', '210') AND AAE041 IS NOT NULL AND AAE042 IS NOT NULL
-- needs: ext_backup_spell
WITH
-- The same spell: person, unit, insurance, first month, once on each side. A spell that was open then and is closed now is no conflict.
latest AS (
    SELECT id('person', b.AAC999) AS AAC001, id('unit', b.AAB999) AS AAB001, b.AAE140, b.AAE041, b.AAE042, b.backup,
           row_number() OVER (PARTITION BY id('person', b.AAC999), id('unit', b.AAB999), b.AAE140, b.AAE041 ORDER BY b.taken DESC NULLS LAST, b.backup DESC, b.AAE042) AS nth,
           count(*) OVER (PARTITION BY id('person', b.AAC999), id('unit', b.AAB999), b.AAE140, b.AAE041, b.taken, b.backup) AS copies
    FROM ext_backup_spell AS b
    WHERE b.AAE140 IN ('110', '210') AND b.AAC999 <> '' AND b.AAB999 <> ''
),
spell AS (
    SELECT s._key, s.AAC001, s.AAB001, s.AAE140, s.AAE041, s.AAE042,
           count(*) OVER (PARTITION BY s.AAC001, s.AAB001, s.AAE140, s.AAE041) AS copies
    FROM AC20 AS s
    WHERE s.AAE140 IN ('110', '210') AND s.AAE041 IS NOT NULL
)
SELECT s._key,
       min(concat('终止年月：现库', CAST(s.AAE042 AS VARCHAR), '，备份', CAST(b.AAE042 AS VARCHAR), '（', b.backup, '）')) AS _evidence
FROM spell AS s
JOIN latest AS b
  ON b.AAC001 = s.AAC001 AND b.AAB001 = s.AAB001 AND b.AAE140 = s.AAE140 AND b.AAE041 = s.AAE041 AND b.nth = 1 AND b.copies = 1
WHERE s.copies = 1 AND s.AAE042 <> b.AAE042
GROUP BY s._key
