-- id: LOG-10
-- title: 视同缴费与实际缴费月数矛盾 / deemed and actual months contradict each other
-- advice: 对照档案核定视同缴费年限，视同月数只能由养老部门更正 / decide the deemed months by the personal file; only the pension section may correct them
-- severity: E
-- repair: V
-- department: 养老
-- evidence: 档案
-- basis: reference 4.8, 5.6
-- table: IC10
-- column: AAE200
-- effect: none
-- among: AIC162 IS NOT NULL AND (AAE200 > 0 OR AAE201 > 0)
-- params: age = 16
WITH person AS (
    SELECT p.AAC001, coalesce(min(p.YAC516), min(p.AAC006)) AS birth
    FROM AC01 AS p
    GROUP BY p.AAC001
)
SELECT r._key,
       min(concat('视同', CAST(coalesce(r.AAE200, 0) AS VARCHAR), '月+实际', CAST(coalesce(r.AAE201, 0) AS VARCHAR), '月，最多',
              CAST(months(period_add(date_period(coalesce(r.YAC516, p.birth)), $age * 12), date_period(r.AIC162)) + 1 AS VARCHAR), '月')) AS _evidence
FROM IC10 AS r
LEFT JOIN person AS p ON p.AAC001 = r.AAC001
-- Both the month of the birthday and the month of retirement count.
WHERE coalesce(r.AAE200, 0) + coalesce(r.AAE201, 0)
      > months(period_add(date_period(coalesce(r.YAC516, p.birth)), $age * 12), date_period(r.AIC162)) + 1
GROUP BY r._key
