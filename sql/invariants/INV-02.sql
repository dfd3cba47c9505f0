-- id: INV-02
-- title: 到账金额分险种、年度、单位和个人部分前后一致 / arrived money is the same by insurance, year and party
-- compares: 已到账明细的单位、个人和划入账户金额，清理前后分文不差；规则按审批补录的另计 / unit, personal and credited amounts of arrived details before and after cleaning, to the fen; what rules add with approval is counted apart
-- about: mapped_AC43
-- broken: blocks
SELECT coalesce(m.AAE140, c.AAE140) AS AAE140, coalesce(m.year, c.year) AS year,
       coalesce(m.unit_part, 0) + coalesce(m.person_part, 0) AS before, coalesce(c.unit_part, 0) + coalesce(c.person_part, 0) AS after
FROM (
    SELECT coalesce(x.AAE140, '') AS AAE140, coalesce(x.AAE003 / 100, 0) AS year,
           sum(coalesce(x.AAE020, 0)) AS unit_part, sum(coalesce(x.AAE022, 0)) AS person_part,
           sum(coalesce(x.AAE021, 0) + coalesce(x.AAE023, 0)) AS credited
    FROM mapped_AC43 AS x
    WHERE x.AAE078 = '1'
    GROUP BY coalesce(x.AAE140, ''), coalesce(x.AAE003 / 100, 0)
) AS m
FULL JOIN (
    SELECT coalesce(y.AAE140, '') AS AAE140, coalesce(y.AAE003 / 100, 0) AS year,
           sum(coalesce(y.AAE020, 0)) AS unit_part, sum(coalesce(y.AAE022, 0)) AS person_part,
           sum(coalesce(y.AAE021, 0) + coalesce(y.AAE023, 0)) AS credited
    FROM cleaned_AC43 AS y
    WHERE y.AAE078 = '1' AND y._source NOT LIKE 'rule:%'
    GROUP BY coalesce(y.AAE140, ''), coalesce(y.AAE003 / 100, 0)
) AS c ON c.AAE140 = m.AAE140 AND c.year = m.year
WHERE (m.unit_part IS DISTINCT FROM c.unit_part) OR (m.person_part IS DISTINCT FROM c.person_part) OR (m.credited IS DISTINCT FROM c.credited)
