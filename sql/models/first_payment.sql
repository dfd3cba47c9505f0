-- row: a person number and an insurance with rows in AC43: the first month that is due or paid, and the first that was credited to the account
-- key: AAC001, AAE140
SELECT d.AAC001, d.AAE140,
       min(d.AAE003) FILTER (WHERE d.AAA115 NOT IN ('20', '34', '35')) AS first_month,
       min(d.AAE003) FILTER (
           WHERE d.AAE078 = '1' AND d.AAA115 NOT IN ('20', '34', '35') AND COALESCE(d.AAE021, 0) + COALESCE(d.AAE023, 0) > 0) AS account_month
FROM AC43 AS d
-- Refunds (20) and adjustments (34, 35) open no month; a month in arrears is insured all the same.
WHERE (d.AAE017 IS DISTINCT FROM '1') AND d.AAC001 IS NOT NULL AND d.AAE140 IN ('110', '210')
GROUP BY d.AAC001, d.AAE140
