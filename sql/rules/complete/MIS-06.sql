-- id: MIS-06
-- title: 有到账养老缴费、无个人账户 / a pension relation with arrived payments and no account
-- advice: 按到账明细和公布的记账利率重建账户；已领取或转出的先查支出 / rebuild the account from arrived payments and published rates; where it was drawn on or moved away, find what was paid out first
-- severity: E
-- repair: A1
-- department: 养老
-- evidence: 到账明细、公布的记账利率
-- basis: reference 5.5, 4.8, 4.9
-- table: AC02
-- column: AAC001
-- adds: AC50
-- touches: AAZ116, AAC001, AAA119, AAE206, AAE238, AAE239, AAE357, AAE240, AAE100
-- effect: add
-- among: AAE140 = '110'
-- params: account_start = 199507, variant = 'standard'
WITH RECURSIVE
-- Accounts begin with $account_start: who paid only before has none. One relation a person.
bare AS (
    SELECT r.AAC001, min(r._key) AS _key, max(r.AAC008) AS state, min(r.AAE206) AS opened
    FROM AC02 AS r
    WHERE r.AAE140 = '110'
      AND EXISTS (SELECT 1 FROM AC01 AS p WHERE p.AAC001 = r.AAC001)
      AND NOT EXISTS (SELECT 1 FROM AC50 AS a WHERE a.AAC001 = r.AAC001)
    GROUP BY r.AAC001
),
-- Credits by year; `weighted`: each month's credit times the months that it earns in its first year (13 - n), the months of a longer row spread evenly.
credit AS (
    SELECT d.AAC001, d.AAE003 / 100 AS year,
           sum(coalesce(d.AAE021, 0) + coalesce(d.AAE023, 0)) AS amount,
           sum((coalesce(d.AAE021, 0) + coalesce(d.AAE023, 0)) * (27 - 2 * (d.AAE003 % 100) - coalesce(d.AAE201, 1))) AS twice_weighted,
           min(d.AAE003) AS first_month
    FROM AC43 AS d
    WHERE d.AAE140 = '110' AND d.AAE078 = '1' AND coalesce(d.AAE017, '0') <> '1' AND d.AAE003 >= $account_start
      AND EXISTS (SELECT 1 FROM bare AS b WHERE b.AAC001 = d.AAC001)
    GROUP BY d.AAC001, d.AAE003 / 100
),
-- The last year that is settled: before this one, and with a published rate.
settled AS (
    SELECT max(i.year) AS year
    FROM ref_interest AS i
    WHERE i.variant = $variant AND i.year < date_period(as_of()) / 100
),
rate AS (
    SELECT i.year AS year, max(i.rate) AS rate
    FROM ref_interest AS i
    WHERE i.variant = $variant
    GROUP BY i.year
),
-- What 1 yuan at the end of a year is worth at the end of the last settled one.
growth AS (
    SELECT s.year AS year, CAST(1 AS DECIMAL(20, 10)) AS factor
    FROM settled AS s
    UNION ALL
    SELECT g.year - 1 AS year, CAST(g.factor * (1 + r.rate) AS DECIMAL(20, 10)) AS factor
    FROM growth AS g
    JOIN rate AS r ON r.year = g.year
),
conflict AS (SELECT max(i.year) AS year FROM ref_interest AS i WHERE i.conflict = '1' AND i.year < date_period(as_of()) / 100),
rebuilt AS (
    SELECT c.AAC001,
           sum(c.amount) AS principal,
           sum(CASE WHEN c.year <= s.year THEN c.amount ELSE 0 END) AS settled_principal,
           sum(CASE WHEN c.year <= s.year
                    THEN (CAST(c.amount AS DECIMAL(16, 2)) + round(CAST(c.twice_weighted AS DECIMAL(18, 2)) * r.rate / 24, 2))
                         * CAST(g.factor AS DECIMAL(14, 10))
                    ELSE 0 END) AS worth,
           min(c.year) AS first_year,
           min(c.first_month) AS first_month,
           -- A settled year without a rate cannot be computed.
           max(CASE WHEN c.year <= s.year AND (g.factor IS NULL OR r.rate IS NULL) THEN 1 ELSE 0 END) AS unrated
    FROM credit AS c
    CROSS JOIN settled AS s
    LEFT JOIN growth AS g ON g.year = c.year
    LEFT JOIN rate AS r ON r.year = c.year
    GROUP BY c.AAC001
    HAVING sum(c.amount) > 0
),
pensioner AS (SELECT DISTINCT t.AAC001 FROM IC10 AS t),
left_pool AS (SELECT DISTINCT t.AAC001 FROM IC89 AS t WHERE t.AAE140 = '110'),
judged AS (
    SELECT b._key, b.AAC001, b.opened, x.principal, x.settled_principal, x.worth, x.first_month, x.first_year,
           CASE WHEN t.AAC001 IS NOT NULL THEN '已享受养老待遇，须核对支出'
                WHEN o.AAC001 IS NOT NULL OR b.state = '4' THEN '已终止或有转移记录，须核对支出和转入'
                WHEN x.unrated = 1 THEN '有年度缺记账利率'
                WHEN k.year >= x.first_year THEN concat(CAST(k.year AS VARCHAR), '年记账利率有不同版本')
           END AS doubt
    FROM bare AS b
    JOIN rebuilt AS x ON x.AAC001 = b.AAC001
    CROSS JOIN conflict AS k
    LEFT JOIN pensioner AS t ON t.AAC001 = b.AAC001
    LEFT JOIN left_pool AS o ON o.AAC001 = b.AAC001
),
person AS (SELECT p.AAC001, min(p.AAC999) AS number FROM AC01 AS p GROUP BY p.AAC001)
SELECT j._key,
       id('account', p.number) AS AAZ116,
       j.AAC001 AS AAC001,
       '1' AS AAA119,
       coalesce(j.opened, j.first_month) AS AAE206,
       j.principal AS AAE238,
       round(j.worth, 2) - j.settled_principal AS AAE239,
       CAST(0 AS DECIMAL(16, 2)) AS AAE357,
       j.principal + round(j.worth, 2) - j.settled_principal AS AAE240,
       '1' AS AAE100,
       CASE WHEN j.doubt IS NOT NULL THEN 'V' END AS _repair,
       concat('到账明细自', CAST(j.first_month AS VARCHAR), '起；利率版本 ', $variant, CASE WHEN j.doubt IS NOT NULL THEN concat('；', j.doubt) ELSE '' END) AS _evidence
FROM judged AS j
JOIN person AS p ON p.AAC001 = j.AAC001
