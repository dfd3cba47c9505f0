-- id: LED-06
-- title: 个人账户年初余额与上年末余额不符 / an account's beginning of the year differs from the end of the year before
-- advice: 相差 0.10 元以内的只作标记；其余按利率口径复算，确定哪一头有误 / up to 0.10 yuan is only marked; else recompute with the variants of interest, to see which side is wrong
-- severity: E
-- repair: V
-- department: 养老
-- evidence: 账册、公布的记账利率
-- basis: reference 5.6, 4.9
-- table: AC51
-- column: AAE252
-- effect: none
-- among: AAE252 IS NOT NULL
-- params: small = 0.10, interest_tolerance = 0.10
WITH
step AS (
    SELECT y._key, y.AAZ116, y.AAE001, y.AAE252, y.AAE382,
           coalesce(y.AAE262, 0) + coalesce(y.AAE264, 0) AS credit,
           lag(y.AAE001) OVER (PARTITION BY y.AAZ116 ORDER BY y.AAE001, y._key) AS year_before,
           lag(y.AAE382) OVER (PARTITION BY y.AAZ116 ORDER BY y.AAE001, y._key) AS end_before
    FROM AC51 AS y
    WHERE y.AAE001 IS NOT NULL
),
-- A missing year is MIS-07.
broken AS (
    SELECT s._key, s.AAE001, s.AAE252, s.AAE382, s.credit, s.end_before, abs(s.AAE252 - s.end_before) AS off
    FROM step AS s
    WHERE s.AAE001 = s.year_before + 1 AND s.AAE252 <> s.end_before
),
-- Which beginning gives this year's end: the one that is written, or the end of the year before. Twelve equal months earn 6.5 (13 - n), 5.5
-- (12 - n) or 0 months in their first year; evidence only.
tried AS (
    SELECT b._key, i.variant, w.count_of,
           CAST(abs(b.AAE382 - b.AAE252 - b.credit - b.AAE252 * i.rate - CAST(b.credit * i.rate AS DECIMAL(18, 6)) * w.months / 12) AS DECIMAL(18, 2)) <= $interest_tolerance AS by_written,
           CAST(abs(b.AAE382 - b.end_before - b.credit - b.end_before * i.rate - CAST(b.credit * i.rate AS DECIMAL(18, 6)) * w.months / 12) AS DECIMAL(18, 2)) <= $interest_tolerance AS by_before
    FROM broken AS b
    JOIN ref_interest AS i ON i.year = b.AAE001
    CROSS JOIN (VALUES ('13-n', 6.5), ('12-n', 5.5), ('0', 0.0)) AS w (count_of, months)
    WHERE b.off > $small
),
fits AS (
    SELECT t._key,
           min(CASE WHEN t.by_written THEN concat(t.variant, '/', t.count_of) END) AS by_written,
           min(CASE WHEN t.by_before THEN concat(t.variant, '/', t.count_of) END) AS by_before
    FROM tried AS t
    GROUP BY t._key
)
SELECT b._key,
       CASE WHEN bool_and(b.off <= $small) THEN 'W' END AS _severity,
       CASE WHEN bool_and(b.off <= $small) THEN 'N' END AS _repair,
       min(concat('上年末', CAST(b.end_before AS VARCHAR), '，本年初', CAST(b.AAE252 AS VARCHAR),
              CASE WHEN f.by_before IS NOT NULL THEN concat('；按上年末余额复算与本年末相符（', f.by_before, '）')
                   WHEN f.by_written IS NOT NULL THEN concat('；按本年初余额复算与本年末相符（', f.by_written, '）')
                   ELSE '' END)) AS _evidence
FROM broken AS b
LEFT JOIN fits AS f ON f._key = b._key
GROUP BY b._key
