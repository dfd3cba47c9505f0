-- id: INV-11
-- title: 合并前后每人月数、金额分毫不差 / a merge neither adds nor loses a month or a fen of anybody
-- compares: 合并事项前后，按保留编号和险种逐人比较到账月数、到账金额、账户余额和欠费 / before and after the work item merge, by survivor and insurance: arrived months and money, account balances, arrears
-- about: merged_AC01
-- broken: blocks
WITH
-- Before, under the number at the end of each way; after, under the number that the row names itself.
member AS (
    SELECT DISTINCT d._key AS member, d.survivor FROM merged_AC01 AS d
    UNION
    SELECT s.survivor AS member, s.survivor FROM merged_AC01 AS s
),
before AS (
    SELECT m.survivor, x.what, x.AAE140, sum(x.months) AS months, sum(x.amount) AS amount
    FROM (
        SELECT 'AC43' AS what, d.AAC001, d.AAE140, CASE WHEN d.AAA115 <> '20' THEN coalesce(d.AAE201, 1) ELSE 0 END AS months,
               coalesce(d.AAE020, 0) + coalesce(d.AAE022, 0) + coalesce(d.AAE021, 0) + coalesce(d.AAE023, 0) AS amount
        FROM unmerged_AC43 AS d
        WHERE d.AAE078 = '1' AND d.AAE140 IN ('110', '210')
        UNION ALL
        SELECT 'AC50' AS what, a.AAC001, '110' AS AAE140, 0 AS months, coalesce(a.AAE240, 0) AS amount FROM unmerged_AC50 AS a
        UNION ALL
        SELECT 'AD23' AS what, q.AAC001, q.AAE140, 0 AS months, coalesce(q.AAE020, 0) + coalesce(q.AAE022, 0) AS amount
        FROM unmerged_AD23 AS q
        WHERE q.AAE140 IN ('110', '210')
    ) AS x
    JOIN member AS m ON m.member = CAST(x.AAC001 AS VARCHAR)
    GROUP BY m.survivor, x.what, x.AAE140
),
after AS (
    SELECT m.member AS survivor, y.what, y.AAE140, sum(y.months) AS months, sum(y.amount) AS amount
    FROM (
        SELECT 'AC43' AS what, d.AAC001, d.AAE140, CASE WHEN d.AAA115 <> '20' THEN coalesce(d.AAE201, 1) ELSE 0 END AS months,
               coalesce(d.AAE020, 0) + coalesce(d.AAE022, 0) + coalesce(d.AAE021, 0) + coalesce(d.AAE023, 0) AS amount
        FROM cleaned_AC43 AS d
        WHERE d.AAE078 = '1' AND d.AAE140 IN ('110', '210')
        UNION ALL
        SELECT 'AC50' AS what, a.AAC001, '110' AS AAE140, 0 AS months, coalesce(a.AAE240, 0) AS amount FROM cleaned_AC50 AS a
        UNION ALL
        SELECT 'AD23' AS what, q.AAC001, q.AAE140, 0 AS months, coalesce(q.AAE020, 0) + coalesce(q.AAE022, 0) AS amount
        FROM cleaned_AD23 AS q
        WHERE q.AAE140 IN ('110', '210')
    ) AS y
    JOIN member AS m ON m.member = CAST(y.AAC001 AS VARCHAR)
    GROUP BY m.member, y.what, y.AAE140
)
SELECT coalesce(b.what, a.what) AS "table", coalesce(b.survivor, a.survivor) AS _key, coalesce(b.AAE140, a.AAE140) AS AAE140,
       coalesce(b.months, 0) AS months_before, coalesce(a.months, 0) AS months_after,
       coalesce(b.amount, 0) AS amount_before, coalesce(a.amount, 0) AS amount_after
FROM before AS b
FULL JOIN after AS a ON a.survivor = b.survivor AND a.what = b.what AND a.AAE140 = b.AAE140
WHERE (b.months IS DISTINCT FROM a.months) OR (b.amount IS DISTINCT FROM a.amount)
