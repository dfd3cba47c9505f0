-- id: TOT-10
-- title: 缴费月数和金额（按单位） / Months and money paid, by unit
-- about: 口径同 TOT-09；先列旧库与可上报相差最多的单位，再列金额最大的，其余合为一行；全部单位及各年度、各参保身份见清单 unit-years / counted as TOT-09; first the units of which legacy and ready differ most, then the largest, all others in one line; every unit by year and kind of person is in the list unit-years
-- columns: insurance = 险种 / Insurance; unit = 单位 / Unit; details = 明细（笔） / Details; months = 缴费月数 / Months; unit_part = 单位部分 / Units; person_part = 个人部分 / Persons
-- most: 50
SELECT s.insurance,
       CASE WHEN u.AAB001 IS NULL THEN coalesce(CAST(s.AAB001 AS VARCHAR), '') ELSE concat(u.AAB999, ' ', u.AAB004) END AS unit,
       s.details, s.months, s.unit_part, s.person_part
FROM (
    SELECT coalesce(d.AAE140, '') AS insurance, d.AAB001, count(*) AS details,
           -- As in the model person_months.
           CAST(sum(CASE WHEN d.AAA115 IN ('10', '31', '32', '33', '90') AND (d.YAA115 IS DISTINCT FROM '2') THEN coalesce(d.AAE201, 1) ELSE 0 END) AS BIGINT) AS months,
           CAST(sum(coalesce(d.AAE020, 0)) AS DECIMAL(38, 2)) AS unit_part,
           CAST(sum(coalesce(d.AAE022, 0)) AS DECIMAL(38, 2)) AS person_part
    FROM AC43 AS d
    WHERE d.AAE078 = '1' AND (d.AAE017 IS DISTINCT FROM '1')
    GROUP BY coalesce(d.AAE140, ''), d.AAB001
) AS s
-- Every version is named by the units as they were mapped: a unit that is held back still has its number.
LEFT JOIN (
    SELECT a.AAB001, min(a.AAB999) AS AAB999, min(a.AAB004) AS AAB004
    FROM mapped_AB01 AS a
    GROUP BY a.AAB001
) AS u ON u.AAB001 = s.AAB001
