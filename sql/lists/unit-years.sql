-- title: 单位分年度缴费核对 / months and money by unit and year
-- about: 一个险种、单位、费款所属年度和参保身份的已到账明细（口径同 TOT-09）：旧库、可上报、未上报 / the payments that arrived of one insurance, unit, year paid for and kind of person (counted as TOT-09): legacy, ready, not ready
-- columns: insurance = 险种 / insurance; unit [AB01.AAB999] = 单位编号 / unit number; unit_name [AB01.AAB004] = 单位名称 / unit's name; year = 年度 / year; kind [AC43.AAC066] = 参保身份 / kind of person;
--     old_months = 旧库月数 / months, legacy; ready_months = 可上报月数 / months, ready; held_months = 未上报月数 / months, not ready;
--     old_money = 旧库金额 / money, legacy; ready_money = 可上报金额 / money, ready; held_money = 未上报金额 / money, not ready; difference = 金额差额 / difference of money
-- params: differing = 0
WITH detail AS (
    SELECT 'old' AS side, d.AAE140, d.AAB001, d.AAE003, d.AAC066, d.AAA115, d.YAA115, d.AAE201, d.AAE020, d.AAE022
    FROM mapped_AC43 AS d
    WHERE d.AAE078 = '1' AND (d.AAE017 IS DISTINCT FROM '1')
    UNION ALL
    SELECT 'ready' AS side, d.AAE140, d.AAB001, d.AAE003, d.AAC066, d.AAA115, d.YAA115, d.AAE201, d.AAE020, d.AAE022
    FROM staged_AC43 AS d
    WHERE d.AAE078 = '1' AND (d.AAE017 IS DISTINCT FROM '1')
    UNION ALL
    SELECT 'held' AS side, d.AAE140, d.AAB001, d.AAE003, d.AAC066, d.AAA115, d.YAA115, d.AAE201, d.AAE020, d.AAE022
    FROM rejected_AC43 AS d
    WHERE d.AAE078 = '1' AND (d.AAE017 IS DISTINCT FROM '1')
),
counted AS (
    SELECT c.AAE140, c.AAB001, c.AAE003 / 100 AS year, c.AAC066, c.side,
           CASE WHEN c.AAA115 IN ('10', '31', '32', '33', '90') AND (c.YAA115 IS DISTINCT FROM '2') THEN coalesce(c.AAE201, 1) ELSE 0 END AS months,
           coalesce(c.AAE020, 0) + coalesce(c.AAE022, 0) AS money
    FROM detail AS c
),
summed AS (
    SELECT c.AAE140, c.AAB001, c.year, c.AAC066,
           sum(CASE WHEN c.side = 'old' THEN c.months ELSE 0 END) AS old_months,
           sum(CASE WHEN c.side = 'ready' THEN c.months ELSE 0 END) AS ready_months,
           sum(CASE WHEN c.side = 'held' THEN c.months ELSE 0 END) AS held_months,
           sum(CASE WHEN c.side = 'old' THEN c.money ELSE 0 END) AS old_money,
           sum(CASE WHEN c.side = 'ready' THEN c.money ELSE 0 END) AS ready_money,
           sum(CASE WHEN c.side = 'held' THEN c.money ELSE 0 END) AS held_money
    FROM counted AS c
    GROUP BY c.AAE140, c.AAB001, c.year, c.AAC066
),
unit AS (
    SELECT w.AAB001, min(w.AAB999) AS AAB999, min(w.AAB004) AS AAB004
    FROM mapped_AB01 AS w
    GROUP BY w.AAB001
)
SELECT s.AAE140 AS insurance, coalesce(u.AAB999, CAST(s.AAB001 AS VARCHAR)) AS unit, u.AAB004 AS unit_name, s.year, s.AAC066 AS kind,
       s.old_months, s.ready_months, s.held_months, s.old_money, s.ready_money, s.held_money, s.old_money - s.ready_money AS difference
FROM summed AS s
LEFT JOIN unit AS u ON u.AAB001 = s.AAB001
WHERE $differing = 0 OR s.old_months <> s.ready_months OR s.old_money <> s.ready_money
ORDER BY insurance, unit, s.year, kind
