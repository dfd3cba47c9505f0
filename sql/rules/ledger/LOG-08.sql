-- id: LOG-08
-- title: 领取失业金期间在单位缴纳失业保险或已退休 / unemployment benefit drawn while employed or retired
-- advice: 核对重新就业或退休时间，停发并追回，上报省局 / verify the date of the new job or of retirement, stop and recover, report to the province
-- severity: E
-- repair: P
-- department: 失业
-- evidence: 失业、养老
-- basis: reference 5.6
-- table: JC20
-- column: *
-- effect: none
-- among: AAC001 IS NOT NULL
WITH
-- A payment that failed (31, 41) or takes money back was not drawn.
drawn AS (
    SELECT DISTINCT d.AAC001, b.home, d.AAE002 AS month
    FROM AC82 AS d
    JOIN person_by_id AS b ON b.AAC001 = d.AAC001
    WHERE d.AAE140 = '210' AND coalesce(d.AAE117, '') NOT IN ('31', '41') AND d.AAE019 > 0
),
drawer AS (SELECT DISTINCT b.AAC001, w.home FROM drawn AS w JOIN person_by_id AS b ON b.home = w.home),
-- As an employee: not as a flexible worker (102) or one whom the agency pays for (103), and not as a late or transferred record.
worked AS (
    SELECT DISTINCT w.home, d.AAE003 AS begins,
           coalesce(d.AAE042, period_add(d.AAE003, coalesce(d.AAE201, 1) - 1)) AS ends
    FROM AC43 AS d
    JOIN drawer AS w ON w.AAC001 = d.AAC001
    WHERE d.AAE140 = '210' AND d.AAA115 = '10' AND coalesce(d.YAA115, '0') IN ('0', '1')
      AND d.AAE078 = '1' AND (d.AAE017 IS DISTINCT FROM '1') AND coalesce(d.AAC066, '101') NOT IN ('102', '103')
),
conflict AS (
    SELECT w.AAC001, w.month, '在岗缴费' AS why
    FROM drawn AS w
    JOIN worked AS k ON k.home = w.home
    WHERE w.month >= k.begins AND w.month <= k.ends
    UNION
    SELECT w.AAC001, w.month, '已退休' AS why
    FROM drawn AS w
    JOIN person_state AS p ON p.AAC001 = w.AAC001
    WHERE w.month > p.retired
),
-- The decision's months tell which of several cases of one person it is.
cases AS (
    SELECT j.AAZ308, min(d.AAE210) AS begins, max(d.AJC056) AS ends
    FROM JC20 AS j
    LEFT JOIN JC21 AS d ON d.AAZ308 = j.AAZ308
    GROUP BY j.AAZ308
),
hit AS (
    SELECT j._key, c.why, min(c.month) AS first_month, max(c.month) AS last_month, count(DISTINCT c.month) AS months
    FROM JC20 AS j
    JOIN cases AS k ON k.AAZ308 = j.AAZ308
    JOIN conflict AS c ON c.AAC001 = j.AAC001
    WHERE c.month >= coalesce(k.begins, 0) AND c.month <= coalesce(k.ends, 999912)
    GROUP BY j._key, c.why
)
SELECT h._key,
       string_agg(concat(h.why, CAST(h.months AS VARCHAR), '个月(', CAST(h.first_month AS VARCHAR), '-', CAST(h.last_month AS VARCHAR), ')'), '；'
                  ORDER BY h.why) AS _evidence
FROM hit AS h
GROUP BY h._key
