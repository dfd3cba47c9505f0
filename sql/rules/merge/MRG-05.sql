-- id: MRG-05
-- title: 同一人同险种同月重复到账 / one month paid and arrived twice
-- advice: 联系单位和本人，办理退费或确认保留一笔；两笔金额均留存 / ask employers and the person, refund one or keep one; both amounts stay in the report
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 单位、退费申请表
-- basis: reference 5.7 (SXX)
-- table: AC43
-- column: AAE003
-- effect: none
-- among: AAE140 IN ('110', '210') AND AAA115 = '10' AND AAE078 = '1'
WITH
-- A number that has been merged pays as its survivor: a month that two numbers of one person paid is told here. Refunds that take exactly one payment of a unit and month back.
refund AS (
    SELECT coalesce(g.survivor, d.AAC001) AS AAC001, d.AAE140, d.AAB001, d.AAE003, -d.AAE020 AS unit_part, -d.AAE022 AS person_part,
           count(*) AS refunds
    FROM AC43 AS d
    LEFT JOIN survivor_AC01 AS g ON g.AAC001 = d.AAC001
    WHERE d.AAA115 = '20' AND d.AAE078 = '1' AND (d.AAE017 IS DISTINCT FROM '1')
    GROUP BY coalesce(g.survivor, d.AAC001), d.AAE140, d.AAB001, d.AAE003, -d.AAE020, -d.AAE022
),
-- Ordinary months only: transferred and late records (YAA115 3, 4) are no second payment. A row may cover several months.
paid AS (
    SELECT d._key, coalesce(g.survivor, d.AAC001) AS AAC001, d.AAE140, d.AAB001, d.AAE003 AS begins, d.AAE020, d.AAE022, r.refunds,
           coalesce(d.AAE042, period_add(d.AAE003, coalesce(d.AAE201, 1) - 1)) AS ends
    FROM AC43 AS d
    LEFT JOIN survivor_AC01 AS g ON g.AAC001 = d.AAC001
    LEFT JOIN refund AS r ON r.AAC001 = coalesce(g.survivor, d.AAC001) AND r.AAE140 = d.AAE140 AND r.AAB001 = d.AAB001 AND r.AAE003 = d.AAE003
                         AND r.unit_part = d.AAE020 AND r.person_part = d.AAE022
    -- A person or unit that is not there is MIS-01 or MIS-02 first.
    WHERE EXISTS (SELECT 1 FROM AB01 AS u WHERE u.AAB001 = d.AAB001) AND EXISTS (SELECT 1 FROM AC01 AS n WHERE n.AAC001 = d.AAC001)
      AND d.AAE140 IN ('110', '210') AND d.AAA115 = '10' AND d.AAE078 = '1' AND (d.AAE017 IS DISTINCT FROM '1')
      AND coalesce(d.YAA115, '0') IN ('0', '1') AND d.AAC001 IS NOT NULL AND d.AAE003 IS NOT NULL
),
-- Of equal payments as many fall away as were taken back. Only the few with a refund are counted off, so that the rest is not sorted for it.
kept AS (
    SELECT p._key, p.AAC001, p.AAE140, p.AAB001, p.begins, p.ends, p.AAE020, p.AAE022
    FROM paid AS p
    WHERE p.refunds IS NULL
    UNION ALL
    SELECT n._key, n.AAC001, n.AAE140, n.AAB001, n.begins, n.ends, n.AAE020, n.AAE022
    FROM (
        SELECT p._key, p.AAC001, p.AAE140, p.AAB001, p.begins, p.ends, p.AAE020, p.AAE022, p.refunds,
               row_number() OVER (PARTITION BY p.AAC001, p.AAE140, p.AAB001, p.begins, p.AAE020, p.AAE022 ORDER BY p._key) AS nth
        FROM paid AS p
        WHERE p.refunds IS NOT NULL
    ) AS n
    WHERE n.nth > n.refunds
),
-- In the order of months a row overlaps one before it or the one after it; rows of one month in any order.
beside AS (
    SELECT k._key, k.AAC001, k.AAE140, k.AAB001, k.begins, k.ends, k.AAE020, k.AAE022,
           max(k.ends) OVER (PARTITION BY k.AAC001, k.AAE140 ORDER BY k.begins
                             ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS ended,
           lead(k.begins) OVER (PARTITION BY k.AAC001, k.AAE140 ORDER BY k.begins) AS next_begins
    FROM kept AS k
),
twice AS (
    SELECT b._key, b.AAC001, b.AAE140, b.AAB001, b.begins, b.ends, b.AAE020, b.AAE022,
           max(CASE WHEN b.ended IS NULL OR b.begins > b.ended THEN b.begins END)
               OVER (PARTITION BY b.AAC001, b.AAE140 ORDER BY b.begins) AS cluster
    FROM beside AS b
    WHERE b.begins <= b.ended OR b.next_begins <= b.ends
)
SELECT t._key, min(concat(CAST(t.AAC001 AS VARCHAR), ' ', t.AAE140, ' ', CAST(t.cluster AS VARCHAR))) AS _group,
       min(concat('单位', CAST(t.AAB001 AS VARCHAR), '，', CAST(t.begins AS VARCHAR),
              CASE WHEN t.ends > t.begins THEN concat('-', CAST(t.ends AS VARCHAR)) ELSE '' END,
              '，单位部分', CAST(t.AAE020 AS VARCHAR), '，个人部分', CAST(t.AAE022 AS VARCHAR))) AS _evidence
FROM twice AS t
GROUP BY t._key
