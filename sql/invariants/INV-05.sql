-- id: INV-05
-- title: 离退休人数和每月待遇合计前后一致 / the number of retirees and the benefits of each month are the same
-- compares: 离退休人员数与分险种、分月应付待遇合计，清理前后 / retirees, and benefits due by insurance and month, before and after cleaning
-- about: mapped_IC10, mapped_AC60, mapped_AC82
-- broken: blocks
SELECT coalesce(m."table", c."table") AS "table", coalesce(m.AAE140, c.AAE140) AS AAE140, coalesce(m.month, c.month) AS month,
       coalesce(m.amount, m.lines) AS before, coalesce(c.amount, c.lines) AS after
FROM (
    SELECT 'IC10' AS "table", '' AS AAE140, 0 AS month, count(*) AS lines, CAST(NULL AS DECIMAL(26, 2)) AS amount FROM mapped_IC10 AS i
    UNION ALL
    SELECT 'AC60' AS "table", coalesce(b.AAE140, '') AS AAE140, 0 AS month, count(*) AS lines, CAST(NULL AS DECIMAL(26, 2)) AS amount
    FROM mapped_AC60 AS b GROUP BY coalesce(b.AAE140, '')
    UNION ALL
    SELECT 'AC82' AS "table", coalesce(p.AAE140, '') AS AAE140, coalesce(p.AAE002, 0) AS month, count(*) AS lines,
           CAST(sum(coalesce(p.AAE019, 0)) AS DECIMAL(26, 2)) AS amount
    FROM mapped_AC82 AS p GROUP BY coalesce(p.AAE140, ''), coalesce(p.AAE002, 0)
) AS m
FULL JOIN (
    SELECT 'IC10' AS "table", '' AS AAE140, 0 AS month, count(*) AS lines, CAST(NULL AS DECIMAL(26, 2)) AS amount FROM cleaned_IC10 AS i
    UNION ALL
    SELECT 'AC60' AS "table", coalesce(b.AAE140, '') AS AAE140, 0 AS month, count(*) AS lines, CAST(NULL AS DECIMAL(26, 2)) AS amount
    FROM cleaned_AC60 AS b GROUP BY coalesce(b.AAE140, '')
    UNION ALL
    SELECT 'AC82' AS "table", coalesce(p.AAE140, '') AS AAE140, coalesce(p.AAE002, 0) AS month, count(*) AS lines,
           CAST(sum(coalesce(p.AAE019, 0)) AS DECIMAL(26, 2)) AS amount
    FROM cleaned_AC82 AS p GROUP BY coalesce(p.AAE140, ''), coalesce(p.AAE002, 0)
) AS c ON c."table" = m."table" AND c.AAE140 = m.AAE140 AND c.month = m.month
WHERE (m.lines IS DISTINCT FROM c.lines) OR (m.amount IS DISTINCT FROM c.amount)
