-- id: TOT-03
-- title: 单位台账与个人明细 / Unit ledgers against payment details
-- about: 按费款所属年度：台账应缴与明细合计；转入、历史补录的明细不在台账中，不计 / by year paid for: what the ledgers are due and what the details come to; details of transfers and late records stand in no ledger and are left out
-- columns: insurance = 险种 / Insurance; year = 年度 / Year; ledgers = 台账应缴 / Ledgers; details = 明细合计 / Details; difference = 差额 / Difference
SELECT b.AAE140 AS insurance, b.year,
       CAST(sum(b.ledgers) AS DECIMAL(38, 2)) AS ledgers,
       CAST(sum(b.details) AS DECIMAL(38, 2)) AS details,
       CAST(sum(b.ledgers - b.details) AS DECIMAL(38, 2)) AS difference
FROM (
    SELECT coalesce(l.AAE140, '') AS AAE140, coalesce(CAST(l.AAE003 / 100 AS VARCHAR), '') AS year,
           coalesce(l.AAB150, 0) + coalesce(l.AAB152, 0) AS ledgers, CAST(0 AS DECIMAL(17, 2)) AS details
    FROM AB07 AS l
    UNION ALL
    -- The same details as in the model unit_details.
    SELECT coalesce(d.AAE140, '') AS AAE140, coalesce(CAST(d.AAE003 / 100 AS VARCHAR), '') AS year,
           CAST(0 AS DECIMAL(17, 2)) AS ledgers, coalesce(d.AAE020, 0) + coalesce(d.AAE022, 0) AS details
    FROM AC43 AS d
    WHERE coalesce(d.AAE017, '0') <> '1' AND coalesce(d.AAA115, '') <> '90' AND coalesce(d.YAA115, '0') NOT IN ('3', '4')
) AS b
GROUP BY b.AAE140, b.year
