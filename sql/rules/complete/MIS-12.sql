-- id: MIS-12
-- title: 备份与现库不一致 / a backup differs from the current row
-- advice: 不得用备份覆盖现库；并列核对，凭档案定夺 / never overwrite the current row from a backup; compare both and decide by the file
-- severity: E
-- repair: V
-- department: 信息
-- evidence: 备份差异、档案
-- basis: reference 5.5
-- table: AC01
-- column: AAC147
-- touches: AAC147, AAC003, AAC004, AAC006, AAC012
-- effect: change
-- among: AAC999 IS NOT NULL
-- needs: ext_backup_person
WITH
latest AS (
    SELECT b.*, id('person', b.AAC999) AS AAC001,
           row_number() OVER (PARTITION BY id('person', b.AAC999) ORDER BY b.taken DESC NULLS LAST, b.backup DESC, b.AAC147, b.AAC003) AS nth,
           count(*) OVER (PARTITION BY id('person', b.AAC999), b.taken, b.backup) AS copies
    FROM ext_backup_person AS b
    WHERE b.AAC999 <> ''
),
-- A change that the log knows, after the backup, is business and no conflict.
logged AS (
    SELECT DISTINCT btrim(c.YWG002) AS number, upper(btrim(half_width(c.AAE124))) AS after_text
    FROM W_CHANGE_LOG AS c
    WHERE c.AAE124 <> ''
),
logged_date AS (SELECT DISTINCT l.number, replace(l.after_text, '-', '') AS day FROM logged AS l),
pair AS (
    SELECT p._key, p.AAC999, p.AAC147, p.AAC003, p.AAC004, p.AAC006, p.AAC012,
           b.AAC147 AS b147, b.AAC003 AS b003, b.AAC004 AS b004, b.AAC006 AS b006, b.AAC012 AS b012, b.backup, b.taken,
           coalesce(id18(p.AAC147), upper(btrim(half_width(p.AAC147)))) AS number_now,
           coalesce(id18(b.AAC147), upper(btrim(half_width(b.AAC147)))) AS number_then,
           -- 15 digits and 18 are one number; what is not sound is a matter of FIX-01 to FIX-03.
           id_check(p.AAC147) IN ('ok', 'ok15') AND id_check(b.AAC147) IN ('ok', 'ok15') AS both_sound,
           id_check(p.AAC147) IN ('ok', 'ok15') AS sound,
           count(*) OVER (PARTITION BY p._key) AS same_key
    FROM AC01 AS p
    JOIN latest AS b ON b.AAC001 = p.AAC001 AND b.nth = 1 AND b.copies = 1
),
differs AS (
    SELECT x._key, x.AAC999, x.backup, x.taken, x.number_now, x.AAC003, x.AAC006,
           CASE WHEN x.both_sound AND x.number_now <> x.number_then THEN x.b147 END AS AAC147,
           -- Suffixes, question marks and private characters are FIX-08.
           CASE WHEN x.AAC003 <> '' AND x.b003 <> '' AND name_key(name_clean(x.AAC003)) <> name_key(name_clean(x.b003))
                 AND NOT regexp_like(x.AAC003, '[?\x{FFFD}\x{E000}-\x{F8FF}]') THEN x.b003 END AS named,
           -- Where the current value contradicts the ID and the backup agrees with it, FIX-04 or FIX-05 has found it.
           CASE WHEN x.AAC004 IN ('1', '2') AND x.b004 IN ('1', '2') AND x.AAC004 <> x.b004
                 AND NOT (x.sound AND coalesce(id_sex(x.number_now) = x.b004, false)) THEN x.b004 END AS AAC004,
           CASE WHEN x.AAC006 <> x.b006
                 AND NOT (x.sound AND coalesce(id_birth(x.number_now) = x.b006, false)) THEN x.b006 END AS born,
           CASE WHEN x.AAC012 <> x.b012 THEN x.b012 END AS AAC012
    FROM pair AS x
    -- A number that comes twice here is STR-05.
    WHERE x.same_key = 1
),
unexplained AS (
    SELECT d._key, d.backup, d.taken,
           CASE WHEN l1.number IS NULL THEN d.AAC147 END AS AAC147,
           CASE WHEN l2.number IS NULL THEN d.named END AS AAC003,
           d.AAC004,
           CASE WHEN l3.number IS NULL THEN d.born END AS AAC006,
           d.AAC012
    FROM differs AS d
    LEFT JOIN logged AS l1 ON l1.number = d.AAC999 AND l1.after_text = d.number_now
    LEFT JOIN logged AS l2 ON l2.number = d.AAC999 AND l2.after_text = upper(btrim(half_width(d.AAC003)))
    LEFT JOIN logged_date AS l3 ON l3.number = d.AAC999 AND l3.day = replace(CAST(d.AAC006 AS VARCHAR), '-', '')
    WHERE coalesce(d.AAC147, d.named, d.AAC004, CAST(d.born AS VARCHAR), d.AAC012) IS NOT NULL
)
SELECT u._key, u.AAC147, u.AAC003, u.AAC004, u.AAC006, u.AAC012,
       concat('备份 ', u.backup, '，日期', coalesce(CAST(u.taken AS VARCHAR), '不详'), '；所列为备份值，不自动覆盖') AS _evidence
FROM unexplained AS u
WHERE coalesce(u.AAC147, u.AAC003, u.AAC004, CAST(u.AAC006 AS VARCHAR), u.AAC012) IS NOT NULL
