-- id: MIS-05
-- title: 有单位台账、无（或缺）缴费明细 / a row of the unit ledger whose details are missing
-- advice: 查同期备份和纸质核定表；不得按台账倒推明细 / look for a backup or the paper assessment of the same period; details are never made from the ledger
-- severity: E
-- repair: A1
-- department: 经办
-- evidence: 备份文件及摘要
-- basis: reference 5.5, 3.19
-- table: AB07
-- column: AAB119
-- adds: AC43
-- touches: AAZ223, AAZ159, AAC001, AAB001, AAE140, AAA115, YAA115, AAE002, AAE003, AAE180, AAE020, AAE022, AAE078, AAE079, AAE017,
--     AAC084, YAE248
-- effect: add
-- among: AAE140 IN ('110', '210') AND (AAB119 > 0 OR AAB156 <> 0)
-- needs: ext_backup_payment
-- params: tolerance = 0.05
WITH
-- Ledger keys that come once, with fewer details than persons.
short AS (
    SELECT l.AAB001, l.AAE140, l.AAE002, l.AAE003, l.AAA115, coalesce(l.AAC084, '0') AS AAC084,
           min(l.YAE518) AS YAE518, max(l.AAB119) AS persons, max(coalesce(l.AAB150, 0) + coalesce(l.AAB152, 0)) AS due
    FROM AB07 AS l
    WHERE l.AAE140 IN ('110', '210') AND (l.AAB119 > 0 OR l.AAB156 <> 0) AND l.YAE848 IS NULL
    GROUP BY l.AAB001, l.AAE140, l.AAE002, l.AAE003, l.AAA115, coalesce(l.AAC084, '0')
    HAVING count(*) = 1
),
open_key AS (
    SELECT s.AAB001, s.AAE140, s.AAE002, s.AAE003, s.AAA115, s.AAC084, s.YAE518, s.persons, s.due,
           coalesce(u.details, 0) AS details, coalesce(u.unit_part + u.person_part, 0) AS held
    FROM short AS s
    LEFT JOIN unit_details AS u
           ON u.AAB001 = s.AAB001 AND u.AAE140 = s.AAE140 AND u.AAE002 = s.AAE002 AND u.AAE003 = s.AAE003
          AND u.AAA115 = s.AAA115 AND u.AAC084 = s.AAC084
    WHERE u.details IS NULL OR (u.details < s.persons AND abs(s.due) > abs(u.unit_part + u.person_part) + $tolerance)
),
-- What the latest backup holds of a key; the same row twice in it stays twice.
copy AS (
    SELECT b.*, id('person', b.AAC999) AS AAC001, id('unit', b.AAB999) AS AAB001,
           dense_rank() OVER (PARTITION BY id('person', b.AAC999), id('unit', b.AAB999), b.AAE140, b.AAA115, b.AAE002, b.AAE003
                              ORDER BY b.taken DESC NULLS LAST, b.backup DESC) AS age
    FROM ext_backup_payment AS b
    WHERE b.AAE140 IN ('110', '210') AND coalesce(b.YAA115, '0') NOT IN ('3', '4') AND b.AAA115 <> '90'
),
lost AS (
    SELECT c.*, o.AAC084, o.YAE518, o.persons, o.due, o.details, o.held,
           row_number() OVER (PARTITION BY c.AAC001, c.AAB001, c.AAE140, c.AAA115, c.AAE002, c.AAE003
                              ORDER BY c.AAE180, c.AAE020, c.AAE022, c.AAE078, c.AAE079) AS nth,
           count(*) OVER (PARTITION BY o.YAE518) AS restored,
           sum(coalesce(c.AAE020, 0) + coalesce(c.AAE022, 0)) OVER (PARTITION BY o.YAE518) AS restored_sum
    FROM copy AS c
    JOIN open_key AS o
      ON o.AAB001 = c.AAB001 AND o.AAE140 = c.AAE140 AND o.AAE002 = c.AAE002 AND o.AAE003 = c.AAE003 AND o.AAA115 = c.AAA115
    WHERE c.age = 1
      AND NOT EXISTS (
          SELECT 1 FROM AC43 AS d
          WHERE d.AAC001 = c.AAC001 AND d.AAB001 = c.AAB001 AND d.AAE140 = c.AAE140
            AND d.AAE002 = c.AAE002 AND d.AAE003 = c.AAE003 AND d.AAA115 = c.AAA115)
),
relation AS (
    SELECT r.AAC001, r.AAE140, min(r.AAZ159) AS AAZ159
    FROM AC02 AS r
    GROUP BY r.AAC001, r.AAE140
)
SELECT key_text(x.YAE518) AS _key,
       id('payment', 'MIS-05', key_text(x.AAC999, x.AAB999, x.AAE140, x.AAA115, x.AAE002, x.AAE003), x.nth) AS AAZ223,
       r.AAZ159 AS AAZ159,
       x.AAC001 AS AAC001,
       x.AAB001 AS AAB001,
       x.AAE140 AS AAE140,
       x.AAA115 AS AAA115,
       coalesce(x.YAA115, '0') AS YAA115,
       x.AAE002 AS AAE002,
       x.AAE003 AS AAE003,
       x.AAE180 AS AAE180,
       x.AAE020 AS AAE020,
       x.AAE022 AS AAE022,
       x.AAE078 AS AAE078,
       x.AAE079 AS AAE079,
       '0' AS AAE017,
       x.AAC084 AS AAC084,
       '99' AS YAE248,
       -- More than the ledger has room for, or nobody to hang it on: a clerk decides.
       CASE WHEN x.details + x.restored > x.persons OR abs(x.held + x.restored_sum) > abs(x.due) + $tolerance OR r.AAZ159 IS NULL
            THEN 'V' END AS _repair,
       concat('备份 ', x.backup, '，SHA-256 ', x.digest, '；台账人数', CAST(x.persons AS VARCHAR), '，现有明细', CAST(x.details AS VARCHAR),
              '条，备份可补', CAST(x.restored AS VARCHAR), '条') AS _evidence,
       concat(CAST(x.AAB001 AS VARCHAR), ' ', x.AAE140, ' ', CAST(x.AAE002 AS VARCHAR)) AS _group
FROM lost AS x
LEFT JOIN relation AS r ON r.AAC001 = x.AAC001 AND r.AAE140 = x.AAE140
