-- id: TOT-01
-- title: 个人账户余额 / Balances of personal accounts
-- about: 本金 + 利息 − 支出 = 余额，差额应为 0 / principal + interest − paid out = balance; the difference should be 0
-- columns: insurance = 险种 / Insurance; state [AC50.AAE100] = 有效标志 / Valid; accounts = 账户（个） / Accounts; principal = 本金 / Principal; interest = 利息 / Interest;
--     paid_out = 支出 / Paid out; balance = 余额 / Balance; difference = 差额 / Difference
-- zero: difference
SELECT '110' AS insurance, coalesce(a.AAE100, '') AS state, count(*) AS accounts,
       CAST(sum(coalesce(a.AAE238, 0)) AS DECIMAL(38, 2)) AS principal,
       CAST(sum(coalesce(a.AAE239, 0)) AS DECIMAL(38, 2)) AS interest,
       CAST(sum(coalesce(a.AAE357, 0)) AS DECIMAL(38, 2)) AS paid_out,
       CAST(sum(coalesce(a.AAE240, 0)) AS DECIMAL(38, 2)) AS balance,
       CAST(sum(coalesce(a.AAE238, 0) + coalesce(a.AAE239, 0) - coalesce(a.AAE357, 0) - coalesce(a.AAE240, 0)) AS DECIMAL(38, 2)) AS difference
FROM AC50 AS a
GROUP BY coalesce(a.AAE100, '')
