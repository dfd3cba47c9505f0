-- row: a year of an account whose year before is missing, with what the neighbours and the payments say about the missing one
-- key: AAZ116, AAE001
-- params: tolerance = 0.10
WITH
-- variant: the published rate and the count of earning months by which balance before + credits + interest = balance after; NULL: several years
-- are missing, or nothing reproduces it. Months earn 13 - n (standard), 12 - n (from the next month) or nothing in their first year (4.9).
book AS (
    SELECT y.AAZ116, y.AAE001, min(y.AAE252) AS begins, max(y.AAE382) AS ends
    FROM AC51 AS y
    WHERE y.AAE001 IS NOT NULL
    GROUP BY y.AAZ116, y.AAE001
),
step AS (
    SELECT b.AAZ116, b.AAE001, b.begins AS balance_after,
           lag(b.AAE001) OVER (PARTITION BY b.AAZ116 ORDER BY b.AAE001) AS year_before,
           lag(b.ends) OVER (PARTITION BY b.AAZ116 ORDER BY b.AAE001) AS balance_before
    FROM book AS b
),
gap AS (
    SELECT s.AAZ116, s.AAE001, s.year_before, s.balance_before, s.balance_after, s.AAE001 - s.year_before - 1 AS missing
    FROM step AS s
    WHERE s.AAE001 - s.year_before > 1
),
owner AS (
    SELECT a.AAZ116, min(a.AAC001) AS AAC001
    FROM AC50 AS a
    WHERE EXISTS (SELECT 1 FROM gap AS g WHERE g.AAZ116 = a.AAZ116 AND g.missing = 1)
    GROUP BY a.AAZ116
),
-- Somebody who draws a pension, or has left, may have been paid out of the account in that year.
credit AS (
    SELECT o.AAZ116, d.AAE003 / 100 AS year,
           sum(coalesce(d.AAE021, 0)) AS unit_credit, sum(coalesce(d.AAE023, 0)) AS person_credit,
           sum((coalesce(d.AAE021, 0) + coalesce(d.AAE023, 0)) * (27 - 2 * (d.AAE003 % 100) - coalesce(d.AAE201, 1))) AS twice_weighted
    FROM AC43 AS d
    JOIN owner AS o ON o.AAC001 = d.AAC001
    WHERE d.AAE140 = '110' AND d.AAE078 = '1' AND coalesce(d.AAE017, '0') <> '1'
    GROUP BY o.AAZ116, d.AAE003 / 100
),
tried AS (
    SELECT g.AAZ116, g.AAE001, i.variant,
           CAST(g.balance_after - g.balance_before - c.unit_credit - c.person_credit AS DECIMAL(16, 2)) AS interest,
           g.balance_before * i.rate AS on_balance,
           CAST(c.twice_weighted AS DECIMAL(18, 2)) * i.rate / 24 AS on_credit,
           CAST(c.unit_credit + c.person_credit AS DECIMAL(16, 2)) * i.rate / 12 AS a_month,
           c.unit_credit, c.person_credit
    FROM gap AS g
    JOIN credit AS c ON c.AAZ116 = g.AAZ116 AND c.year = g.AAE001 - 1
    JOIN ref_interest AS i ON i.year = g.AAE001 - 1
    WHERE g.missing = 1 AND g.balance_before IS NOT NULL AND g.balance_after IS NOT NULL
),
fits AS (
    SELECT t.AAZ116, t.AAE001, t.unit_credit, t.person_credit, t.interest,
           CASE WHEN abs(t.interest - t.on_balance - t.on_credit) <= $tolerance THEN concat(t.variant, '/13-n')
                WHEN abs(t.interest - t.on_balance - t.on_credit + t.a_month) <= $tolerance THEN concat(t.variant, '/12-n')
                WHEN abs(t.interest - t.on_balance) <= $tolerance THEN concat(t.variant, '/0')
           END AS variant
    FROM tried AS t
),
best AS (
    SELECT f.AAZ116, f.AAE001, min(f.variant) AS variant,
           min(CAST(f.unit_credit AS DECIMAL(16, 2))) AS unit_credit, min(CAST(f.person_credit AS DECIMAL(16, 2))) AS person_credit,
           min(f.interest) AS interest
    FROM fits AS f
    GROUP BY f.AAZ116, f.AAE001
)
SELECT g.AAZ116, g.AAE001, g.year_before, g.missing, g.balance_before, g.balance_after,
       b.variant, b.unit_credit, b.person_credit, b.interest
FROM gap AS g
LEFT JOIN best AS b ON b.AAZ116 = g.AAZ116 AND b.AAE001 = g.AAE001
