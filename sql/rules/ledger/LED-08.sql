-- id: LED-08
-- title: 单位台账同期同类重复 / the same key twice in the unit ledger
-- advice: 对凭证，确认重复后合并台账；属冲销的补原核定ID / compare with the vouchers and merge the ledger rows; a reversal gets the number of what it reverses
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 缴费凭证
-- basis: reference 5.6
-- table: AB07
-- column: YAE518
-- effect: none
-- among: AAE140 IN ('110', '210') AND AAE002 IS NOT NULL AND AAE003 IS NOT NULL AND AAA115 IS NOT NULL
WITH
-- A reversal names what it reverses (YAE848), or has the opposite amount; both of the pair are as they should be.
reversed AS (SELECT DISTINCT r.YAE848 AS YAE518 FROM AB07 AS r WHERE r.YAE848 IS NOT NULL),
standing AS (
    SELECT l._key, l.AAB001, l.AAE140, l.AAE002, l.AAE003, l.AAA115, coalesce(l.YAA115, '0') AS YAA115, coalesce(l.AAC084, '0') AS AAC084, l.AAB156, l.AAD009
    FROM AB07 AS l
    WHERE l.AAE140 IN ('110', '210') AND l.AAE002 IS NOT NULL AND l.AAE003 IS NOT NULL AND l.AAA115 IS NOT NULL
      AND l.YAE848 IS NULL AND NOT EXISTS (SELECT 1 FROM reversed AS v WHERE v.YAE518 = l.YAE518)
),
counted AS (
    SELECT s._key, s.AAB001, s.AAE140, s.AAE002, s.AAE003, s.AAA115, s.AAB156, s.AAD009,
           count(*) OVER w AS copies,
           min(s.AAB156) OVER w AS least,
           max(s.AAB156) OVER w AS most
    FROM standing AS s
    WINDOW w AS (PARTITION BY s.AAB001, s.AAE140, s.AAE002, s.AAE003, s.AAA115, s.YAA115, s.AAC084)
)
SELECT c._key,
       min(concat('同键', CAST(c.copies AS VARCHAR), '行，本行应缴', coalesce(CAST(c.AAB156 AS VARCHAR), '空'),
              CASE WHEN c.AAD009 <> '' THEN concat('，凭证', c.AAD009) ELSE '' END)) AS _evidence,
       min(concat(CAST(c.AAB001 AS VARCHAR), ' ', c.AAE140, ' ', CAST(c.AAE002 AS VARCHAR), ' ', CAST(c.AAE003 AS VARCHAR), ' ', c.AAA115)) AS _group
FROM counted AS c
WHERE c.copies > 1 AND NOT coalesce(c.least < 0 AND c.most > 0 AND c.copies = 2 AND c.least + c.most = 0, false)
GROUP BY c._key
