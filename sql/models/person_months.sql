-- row: a person number and an insurance with rows in AC43: months that count, first and last of them, rows that are owed
-- key: AAC001, AAE140
SELECT
    -- Months: arrived and not reversed; no refunds and adjustments (20, 34, 35), and YAA115 2 pays a month that stands in another row.
    d.AAC001, d.AAE140,
       sum(coalesce(d.AAE201, 1)) FILTER (
           WHERE d.AAE078 = '1' AND d.AAA115 IN ('10', '31', '32', '33', '90') AND (d.YAA115 IS DISTINCT FROM '2')) AS months,
       min(d.AAE003) FILTER (
           WHERE d.AAE078 = '1' AND d.AAA115 IN ('10', '31', '32', '33', '90') AND (d.YAA115 IS DISTINCT FROM '2')) AS first_month,
       max(d.AAE003) FILTER (
           WHERE d.AAE078 = '1' AND d.AAA115 IN ('10', '31', '32', '33', '90') AND (d.YAA115 IS DISTINCT FROM '2')) AS last_month,
       -- Written-off rows (AAB165 4) are owed no more.
       count(*) FILTER (
           WHERE d.AAE078 = '0' AND d.AAA115 <> '20' AND (d.AAB165 IS DISTINCT FROM '4')) AS owed
FROM AC43 AS d
WHERE (d.AAE017 IS DISTINCT FROM '1') AND d.AAC001 IS NOT NULL
GROUP BY d.AAC001, d.AAE140
