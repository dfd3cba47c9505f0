-- id: TOT-04
-- title: 欠费 / Arrears
-- about: 按费款所属年度：单位和个人部分 / by year that is owed for: the unit's and the person's part
-- columns: insurance = 险种 / Insurance; year = 年度 / Year; lines = 笔数 / Lines; unit_part = 单位部分 / Units; person_part = 个人部分 / Persons
SELECT coalesce(q.AAE140, '') AS insurance, coalesce(CAST(q.AAE003 / 100 AS VARCHAR), '') AS year, count(*) AS lines,
       CAST(sum(coalesce(q.AAE020, 0)) AS DECIMAL(38, 2)) AS unit_part,
       CAST(sum(coalesce(q.AAE022, 0)) AS DECIMAL(38, 2)) AS person_part
FROM AD23 AS q
GROUP BY coalesce(q.AAE140, ''), coalesce(CAST(q.AAE003 / 100 AS VARCHAR), '')
