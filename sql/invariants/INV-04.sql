-- id: INV-04
-- title: 每人缴费月数清理后不少于清理前 / nobody has fewer contribution months after cleaning
-- compares: 每个编号分险种的到账月数，清理前后；合并的按保留编号计，按 MRG-05、GAR 清除的除外 / arrived months by number and insurance before and after; a merged number counts at its survivor; what MRG-05 and GAR exclude is left out
-- about: mapped_AC43
-- broken: blocks
SELECT m.AAC001, m.AAE140, m.months AS before, coalesce(c.months, 0) AS after
    -- Counted as in the model person_months.
FROM (
    SELECT coalesce(g.survivor, CAST(x.AAC001 AS VARCHAR)) AS person, x.AAC001, x.AAE140, sum(coalesce(x.AAE201, 1)) AS months
    FROM mapped_AC43 AS x
    LEFT JOIN (SELECT DISTINCT d._key, d.survivor FROM merged_AC01 AS d) AS g ON g._key = CAST(x.AAC001 AS VARCHAR)
    LEFT JOIN (SELECT DISTINCT e._key, e._source, e._skey FROM excluded_AC43 AS e WHERE e.reason LIKE 'GAR-%' OR e.reason = 'MRG-05') AS listed
           ON listed._key = x._key AND listed._source = x._source AND listed._skey = x._skey
    WHERE listed._key IS NULL AND x.AAE078 = '1' AND x.AAA115 IN ('10', '31', '32', '33', '90') AND (x.YAA115 IS DISTINCT FROM '2')
      AND (x.AAE017 IS DISTINCT FROM '1') AND x.AAC001 IS NOT NULL AND x.AAE140 IN ('110', '210')
    GROUP BY coalesce(g.survivor, CAST(x.AAC001 AS VARCHAR)), x.AAC001, x.AAE140
) AS m
LEFT JOIN (
    SELECT CAST(y.AAC001 AS VARCHAR) AS person, y.AAE140, sum(coalesce(y.AAE201, 1)) AS months
    FROM cleaned_AC43 AS y
    LEFT JOIN (SELECT DISTINCT e._key, e._source, e._skey FROM excluded_AC43 AS e) AS gone
           ON gone._key = y._key AND gone._source = y._source AND gone._skey = y._skey
    WHERE gone._key IS NULL AND y.AAE078 = '1' AND y.AAA115 IN ('10', '31', '32', '33', '90') AND (y.YAA115 IS DISTINCT FROM '2')
      AND (y.AAE017 IS DISTINCT FROM '1') AND y.AAC001 IS NOT NULL AND y.AAE140 IN ('110', '210')
    GROUP BY CAST(y.AAC001 AS VARCHAR), y.AAE140
) AS c ON c.person = m.person AND c.AAE140 = m.AAE140
WHERE coalesce(c.months, 0) < m.months
