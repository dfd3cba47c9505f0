-- id: INV-03
-- title: 个人账户余额分年度及合计前后一致 / account balances are the same, by year and in total
-- compares: 账户余额合计与各年度年末余额合计，清理前后；规则按审批补建的另计 / the total of account balances and of the balances at each year's end before and after cleaning; accounts that rules add with approval are counted apart
-- about: mapped_AC50, mapped_AC51
-- broken: blocks
SELECT coalesce(m."table", c."table") AS "table", coalesce(m.year, c.year) AS year, coalesce(m.balance, 0) AS before, coalesce(c.balance, 0) AS after
FROM (
    SELECT 'AC50' AS "table", 0 AS year, count(*) AS accounts, sum(coalesce(x.AAE240, 0)) AS balance FROM mapped_AC50 AS x
    UNION ALL
    SELECT 'AC51' AS "table", coalesce(y.AAE001, 0) AS year, count(*) AS accounts, sum(coalesce(y.AAE382, 0)) AS balance
    FROM mapped_AC51 AS y GROUP BY coalesce(y.AAE001, 0)
) AS m
FULL JOIN (
    SELECT 'AC50' AS "table", 0 AS year, count(*) AS accounts, sum(coalesce(x.AAE240, 0)) AS balance
    FROM cleaned_AC50 AS x WHERE x._source NOT LIKE 'rule:%'
    UNION ALL
    SELECT 'AC51' AS "table", coalesce(y.AAE001, 0) AS year, count(*) AS accounts, sum(coalesce(y.AAE382, 0)) AS balance
    FROM cleaned_AC51 AS y WHERE y._source NOT LIKE 'rule:%' GROUP BY coalesce(y.AAE001, 0)
) AS c ON c."table" = m."table" AND c.year = m.year
WHERE (m.balance IS DISTINCT FROM c.balance) OR (m.accounts IS DISTINCT FROM c.accounts)
