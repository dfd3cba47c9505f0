-- row: a person number of somebody who is recorded as dead or retired, on the pension or on the unemployment side
-- key: AAC001
WITH
-- Where records disagree the later month counts: what is later than that is wrong by every record.
missing AS (SELECT DISTINCT p.AAC001 FROM AC01 AS p WHERE p.AAC060 = '3'),
event AS (
    SELECT p.AAC001, date_period(p.AAE138) AS died, CAST(NULL AS INT) AS retired
    FROM AC01 AS p
    -- The date of somebody missing (AAC060 3) is no death.
    WHERE p.AAE138 IS NOT NULL AND (p.AAC060 IS DISTINCT FROM '3')
    UNION ALL
    SELECT d.AAC001, date_period(d.AAE138), CAST(NULL AS INT)
    FROM AC26 AS d
    LEFT JOIN missing AS m ON m.AAC001 = d.AAC001
    WHERE m.AAC001 IS NULL AND coalesce(d.AAE171, '2') NOT IN ('1', '3')
    UNION ALL
    SELECT p.AAC001, CAST(NULL AS INT), date_period(p.AIC162)
    FROM AC01 AS p
    WHERE p.AIC162 IS NOT NULL
    UNION ALL
    SELECT r.AAC001, CAST(NULL AS INT), date_period(r.AIC162)
    FROM IC10 AS r
    WHERE r.AIC162 IS NOT NULL
),
by_home AS (
    SELECT b.home, max(e.died) AS died, max(e.retired) AS retired
    FROM event AS e
    JOIN person_by_id AS b ON b.AAC001 = e.AAC001
    GROUP BY b.home
)
SELECT b.AAC001, b.home, h.died, h.retired
FROM by_home AS h
JOIN person_by_id AS b ON b.home = h.home
