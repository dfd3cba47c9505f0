-- id: LED-04
-- title: 已到账未划入个人账户，或重复划入 / an arrived detail is not credited to the account, or credited twice
-- advice: 对账册；账户在用且仅漏划一笔的批量补划，其余逐笔核实 / compare with the account book; a single miss on an open account is credited in a batch, others are verified one by one
-- severity: E
-- repair: A1
-- department: 养老
-- evidence: 账册
-- basis: reference 5.6
-- table: AC43
-- column: AAE023
-- adds: AC53
-- touches: AAZ116, AAE140, AAE003, AAE228, YAD003, AAE013
-- effect: add
-- among: AAE140 = '110' AND AAE078 = '1'
WITH
missed AS (
    SELECT d._key, d.AAC001, d.AAE003, coalesce(d.AAE021, 0) + coalesce(d.AAE023, 0) AS credit,
           coalesce(d.AAB191, period_date(d.AAE079), period_date(d.AAE002)) AS day,
           count(*) OVER (PARTITION BY d.AAC001) AS misses
    FROM AC43 AS d
    JOIN W_CREDIT AS w ON w.AAZ223 = d.AAZ223
    WHERE w.YWC001 = '0' AND d.AAE140 = '110' AND d.AAE078 = '1' AND coalesce(d.AAE017, '0') <> '1'
      AND coalesce(d.AAE021, 0) + coalesce(d.AAE023, 0) <> 0
),
account AS (
    SELECT a.AAC001, min(a.AAZ116) AS AAZ116
    FROM AC50 AS a
    GROUP BY a.AAC001
    HAVING count(*) = 1 AND min(coalesce(a.AAE100, '1')) = '1'
)
SELECT m._key,
       a.AAZ116 AS AAZ116,
       '110' AS AAE140,
       m.AAE003 AS AAE003,
       m.day AS AAE228,
       m.credit AS YAD003,
       '据到账明细补划' AS AAE013,
       -- Nothing to date it by, or a credit of that month is there after all.
       CASE WHEN m.day IS NULL OR i.AAZ116 IS NOT NULL THEN 'V' END AS _repair
FROM missed AS m
JOIN account AS a ON a.AAC001 = m.AAC001
LEFT JOIN (SELECT DISTINCT x.AAZ116, x.AAE003 FROM AC53 AS x WHERE x.AAE140 = '110') AS i ON i.AAZ116 = a.AAZ116 AND i.AAE003 = m.AAE003
WHERE m.misses = 1
