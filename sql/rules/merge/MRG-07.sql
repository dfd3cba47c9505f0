-- id: MRG-07
-- title: 同一统筹区同一险种有两条参保关系 / two relations of one insurance in one pool
-- advice: 保留首次参保最早的一条，明细和缴费改挂该条；两个账户均有余额的先核实账户 / keep the relation with the earliest first month, spells and payments go to it; where both accounts hold money, verify the accounts first
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 账户对账单
-- basis: reference 5.7
-- table: AC02
-- column: AAZ159
-- effect: merge
-- among: AAE140 IN ('110', '210')
WITH
-- A relation of a number that has been merged is its survivor's.
owned AS (
    SELECT r._key, r.AAZ159, coalesce(g.survivor, r.AAC001) AS AAC001, r.AAE140, r.AAA027, r.AAC049, r.AAC030
    FROM AC02 AS r
    LEFT JOIN survivor_AC01 AS g ON g.AAC001 = r.AAC001
),
relation AS (
    SELECT r._key, r.AAZ159, r.AAC001, r.AAE140,
           first_value(r._key) OVER (PARTITION BY r.AAC001, r.AAE140, coalesce(r.AAA027, '')
                                     ORDER BY coalesce(r.AAC049, date_period(r.AAC030)) ASC NULLS LAST, r.AAZ159) AS survivor,
           first_value(r.AAZ159) OVER (PARTITION BY r.AAC001, r.AAE140, coalesce(r.AAA027, '')
                                       ORDER BY coalesce(r.AAC049, date_period(r.AAC030)) ASC NULLS LAST, r.AAZ159) AS kept
    FROM owned AS r
    WHERE r.AAE140 IN ('110', '210') AND r.AAC001 IS NOT NULL
),
-- An account belongs to the person, not to the relation: two with money in them are the two books.
book AS (
    SELECT coalesce(g.survivor, a.AAC001) AS AAC001, count(*) AS accounts
    FROM AC50 AS a
    LEFT JOIN survivor_AC01 AS g ON g.AAC001 = a.AAC001
    WHERE a.AAE240 <> 0 AND (a.AAE100 IS DISTINCT FROM '0')
    GROUP BY coalesce(g.survivor, a.AAC001)
)
-- One key twice is STR-05: it is one relation here.
SELECT r._key, r.survivor AS _after_key, r.survivor AS _group,
       min(CASE WHEN coalesce(b.accounts, 0) < 2 OR r.AAE140 <> '110' THEN 'A1' END) AS _repair,
       min(CASE WHEN b.accounts > 1 AND r.AAE140 = '110' THEN concat('有余额的账户', CAST(b.accounts AS VARCHAR), '个') END) AS _evidence
FROM relation AS r
LEFT JOIN book AS b ON b.AAC001 = r.AAC001
WHERE r.AAZ159 <> r.kept
GROUP BY r._key, r.survivor
