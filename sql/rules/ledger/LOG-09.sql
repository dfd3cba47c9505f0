-- id: LOG-09
-- title: 缴费基数超出当年上下限 / contribution base outside the limits of its year
-- advice: 核对工资表；不得自动调整基数 / compare with the payroll; a base is never adjusted automatically
-- severity: E
-- repair: N
-- department: 经办
-- evidence: 工资表
-- basis: reference 4.5, 5.6
-- table: AC43
-- column: AAE180
-- effect: none
-- among: AAE140 = '110' AND AAE003 >= 199601
-- params: tolerance = 1.00, strict_from = 200601
WITH
-- One row per month. Where a year has two values (a change in mid-year), the wider limits count.
month AS (
    SELECT m.period, min(m.floor) AS floor, max(m.cap) AS cap
    FROM (
        SELECT period_add(l.period_from, CAST(l.nth AS INT)) AS period, l.floor, l.cap
        FROM (
            SELECT r.period_from, r.floor, r.cap,
                   unnest(generate_series(0, CAST(months(r.period_from, coalesce(r.period_to, date_period(as_of()))) AS BIGINT))) AS nth
            FROM ref_base_limits AS r
        ) AS l
    ) AS m
    GROUP BY m.period
)
SELECT d._key,
       min(CASE WHEN d.AAE003 < $strict_from THEN 'W' END) AS _severity,
       min(concat(CAST(d.AAE003 AS VARCHAR), '基数', CAST(d.AAE180 AS VARCHAR), '，下限', CAST(l.floor AS VARCHAR),
              '，上限', CAST(l.cap AS VARCHAR))) AS _evidence
FROM AC43 AS d
JOIN month AS l ON l.period = d.AAE003
-- Refunds, one-off payments and adjustments (20, 32, 34, 35, 40) have bases of their own meaning; transferred months (YAA115 3) follow
-- the limits of another place; YAA115 2 pays a month whose base stands in another row. A base without money is no contribution.
WHERE d.AAE140 = '110' AND d.AAA115 IN ('10', '31', '33', '90') AND coalesce(d.YAA115, '0') NOT IN ('2', '3')
  AND (d.AAE017 IS DISTINCT FROM '1')
  AND (d.AAE020 <> 0 OR d.AAE022 <> 0)
  AND (d.AAE180 < l.floor - $tolerance OR d.AAE180 > l.cap + $tolerance)
GROUP BY d._key
