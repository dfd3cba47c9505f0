-- id: TOT-09
-- title: 缴费月数和金额（按参保身份） / Months and money paid, by kind of person
-- about: 已到账的缴费明细；撤销的不计，补欠缴的月数不计、金额计 / payment details that arrived; revoked ones are left out, of arrears paid later the money counts and the month does not
-- columns: insurance = 险种 / Insurance; kind [AC43.AAC066] = 参保身份 / Kind of person; details = 明细（笔） / Details; months = 缴费月数 / Months; unit_part = 单位部分 / Units; person_part = 个人部分 / Persons
SELECT coalesce(d.AAE140, '') AS insurance, coalesce(d.AAC066, '') AS kind, count(*) AS details,
       -- As in the model person_months.
       CAST(sum(CASE WHEN d.AAA115 IN ('10', '31', '32', '33', '90') AND (d.YAA115 IS DISTINCT FROM '2') THEN coalesce(d.AAE201, 1) ELSE 0 END) AS BIGINT) AS months,
       CAST(sum(coalesce(d.AAE020, 0)) AS DECIMAL(38, 2)) AS unit_part,
       CAST(sum(coalesce(d.AAE022, 0)) AS DECIMAL(38, 2)) AS person_part
FROM AC43 AS d
WHERE d.AAE078 = '1' AND (d.AAE017 IS DISTINCT FROM '1')
GROUP BY coalesce(d.AAE140, ''), coalesce(d.AAC066, '')
