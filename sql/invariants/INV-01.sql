-- id: INV-01
-- title: 每张表的来源行数与各处置结果之和一致 / every mapped row has exactly one disposition, by lineage
-- compares: 映射结果与可上报、不合格、暂缓、不上报、已合并之和，按来源表逐行 / mapped rows and accepted + rejected + held + excluded + merged, by legacy table, row by row
-- about: mapped
-- each: *
-- broken: blocks
SELECT coalesce(m._source, g._source) AS _source, coalesce(m.lines, 0) AS before, coalesce(g.lines, 0) AS after
    -- What raw holds against what is mapped is the boundary raw–mapped. Rows that rules add (rule:…) have no legacy row; the boundary counts them by rule.
FROM (
    SELECT x._source, count(*) AS lines, sum(CAST(row_hash(x._key, x._skey) AS DECIMAL(38, 0))) AS hash
    FROM mapped AS x
    GROUP BY x._source
) AS m
FULL JOIN (
    SELECT y._source, count(*) AS lines, sum(CAST(row_hash(y._key, y._skey) AS DECIMAL(38, 0))) AS hash
    FROM (SELECT s._key, s._source, s._skey FROM staged AS s UNION ALL SELECT r._key, r._source, r._skey FROM rejected AS r) AS y
    WHERE y._source NOT LIKE 'rule:%'
    GROUP BY y._source
) AS g ON g._source = m._source
WHERE (m.lines IS DISTINCT FROM g.lines) OR (m.hash IS DISTINCT FROM g.hash)
