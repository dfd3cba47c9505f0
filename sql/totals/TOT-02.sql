-- id: TOT-02
-- title: 个人账户年度收支 / Personal accounts by year
-- about: 年初 + 收入 − 支出 = 年末；旧库未分列利息的，差额为当年利息 / opening + in − out = closing; where the city keeps no interest of its own, the difference is the year's interest
-- columns: insurance = 险种 / Insurance; year = 年度 / Year; accounts = 账户（个） / Accounts; opening = 年初累计 / Opening; paid_in = 本年收入 / In; paid_out = 本年支出 / Out;
--     closing = 年末累计 / Closing; difference = 差额 / Difference
SELECT '110' AS insurance, coalesce(CAST(y.AAE001 AS VARCHAR), '') AS year, count(*) AS accounts,
       CAST(sum(coalesce(y.AAE252, 0)) AS DECIMAL(38, 2)) AS opening,
       -- Principal of the year with its interest, and the interest on what was there.
       CAST(sum(coalesce(y.AAE262, 0) + coalesce(y.AAE264, 0) + coalesce(y.AAE263, 0) + coalesce(y.AAE265, 0)
              + coalesce(y.AAE259, 0) + coalesce(y.AAE260, 0)) AS DECIMAL(38, 2)) AS paid_in,
       CAST(sum(coalesce(y.AAE294, 0) + coalesce(y.AAE296, 0) + coalesce(y.AAE295, 0) + coalesce(y.AAE297, 0)
              + coalesce(y.AAE291, 0) + coalesce(y.AAE292, 0)) AS DECIMAL(38, 2)) AS paid_out,
       CAST(sum(coalesce(y.AAE382, 0)) AS DECIMAL(38, 2)) AS closing,
       CAST(sum(coalesce(y.AAE382, 0) - coalesce(y.AAE252, 0)
              - (coalesce(y.AAE262, 0) + coalesce(y.AAE264, 0) + coalesce(y.AAE263, 0) + coalesce(y.AAE265, 0) + coalesce(y.AAE259, 0) + coalesce(y.AAE260, 0))
              + (coalesce(y.AAE294, 0) + coalesce(y.AAE296, 0) + coalesce(y.AAE295, 0) + coalesce(y.AAE297, 0) + coalesce(y.AAE291, 0) + coalesce(y.AAE292, 0)))
            AS DECIMAL(38, 2)) AS difference
FROM AC51 AS y
GROUP BY coalesce(CAST(y.AAE001 AS VARCHAR), '')
