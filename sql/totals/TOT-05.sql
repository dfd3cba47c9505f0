-- id: TOT-05
-- title: 每月待遇 / Benefits by month
-- about: 按发放月份：笔数和金额 / by month paid: lines and amount
-- columns: insurance = 险种 / Insurance; month = 月份 / Month; lines = 笔数 / Lines; amount = 金额 / Amount
SELECT coalesce(p.AAE140, '') AS insurance, coalesce(CAST(p.AAE002 AS VARCHAR), '') AS month, count(*) AS lines,
       CAST(sum(coalesce(p.AAE019, 0)) AS DECIMAL(38, 2)) AS amount
FROM AC82 AS p
GROUP BY coalesce(p.AAE140, ''), coalesce(CAST(p.AAE002 AS VARCHAR), '')
