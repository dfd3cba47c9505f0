-- id: LED-04
-- title: 已到账未划入个人账户，或重复划入 / an arrived detail is not credited to the account, or credited twice
-- advice: 对账册；账户在用且仅漏划一笔的批量补划，其余逐笔核实 / compare with the account book; a single miss on an open account is credited in a batch, others are verified one by one
-- severity: E
-- repair: V
-- department: 养老
-- evidence: 账册
-- basis: reference 5.6
-- table: AC43
-- column: AAE023
-- effect: none
-- among: AAE140 = '110' AND AAE078 = '1'
-- params: tolerance = 0.05
WITH
-- Not credited, by the city's own mark. Without a mark nothing is known.
missed AS (
    SELECT d._key, d.AAC001, count(*) OVER (PARTITION BY d.AAC001) AS misses
    FROM AC43 AS d
    JOIN W_CREDIT AS w ON w.AAZ223 = d.AAZ223
    WHERE w.YWC001 = '0' AND d.AAE140 = '110' AND d.AAE078 = '1' AND coalesce(d.AAE017, '0') <> '1'
      AND coalesce(d.AAE021, 0) + coalesce(d.AAE023, 0) <> 0
),
account AS (
    SELECT a.AAC001, min(a.AAZ116) AS AAZ116, count(*) AS accounts, min(coalesce(a.AAE100, '1')) AS open
    FROM AC50 AS a
    GROUP BY a.AAC001
),
-- Credits of a month that are several, and together about twice what its details give.
income AS (
    SELECT i.AAZ116, i.AAE003, count(*) AS credits, sum(i.YAD003) AS amount
    FROM AC53 AS i
    WHERE i.AAE140 = '110'
    GROUP BY i.AAZ116, i.AAE003
),
given AS (
    SELECT d.AAC001, d.AAE003, min(d.AAZ223) AS AAZ223, count(*) AS details,
           sum(coalesce(d.AAE021, 0) + coalesce(d.AAE023, 0)) AS amount
    FROM AC43 AS d
    WHERE d.AAE140 = '110' AND d.AAE078 = '1' AND coalesce(d.AAE017, '0') <> '1'
      AND EXISTS (
          SELECT 1 FROM account AS a JOIN income AS i ON i.AAZ116 = a.AAZ116
          WHERE i.credits > 1 AND a.AAC001 = d.AAC001 AND i.AAE003 = d.AAE003)
    GROUP BY d.AAC001, d.AAE003
),
twice AS (
    SELECT g.AAZ223, i.credits, i.amount
    FROM given AS g
    JOIN account AS a ON a.AAC001 = g.AAC001 AND a.accounts = 1
    JOIN income AS i ON i.AAZ116 = a.AAZ116 AND i.AAE003 = g.AAE003
    WHERE i.credits > g.details AND i.amount > g.amount + $tolerance
),
hit AS (
    -- A single miss on an open account is added by LED-04_AC53.
    SELECT m._key, concat('已到账未划账，该人共', CAST(m.misses AS VARCHAR), '笔') AS evidence
    FROM missed AS m
    LEFT JOIN account AS a ON a.AAC001 = m.AAC001
    WHERE m.misses > 1 OR a.AAC001 IS NULL OR a.accounts > 1 OR a.open <> '1'
    UNION ALL
    SELECT key_text(t.AAZ223) AS _key, concat('划入', CAST(t.credits AS VARCHAR), '次，合计', CAST(t.amount AS VARCHAR)) AS evidence
    FROM twice AS t
)
SELECT h._key, min(h.evidence) AS _evidence
FROM hit AS h
GROUP BY h._key
