-- row: a relation that has ended for good, with arrived contributions for months after that
-- key: AAZ159
SELECT n.AAZ159, min(n.spell_key) AS spell_key, min(n.relation_key) AS relation_key, bool_or(n.died OR coalesce(n.kind, '') = 'death') AS died,
       bool_or(n.retired) AS retired, bool_or(n.settled) AS settled, count(DISTINCT d.AAE003) AS months, min(d.AAE003) AS first_month, max(d.AAE003) AS last_month
FROM ended_relation AS n
JOIN AC43 AS d ON d.AAC001 = n.AAC001 AND d.AAE140 = n.AAE140 AND d.AAE003 > n.ended
-- Refunds, adjustments, transfers and late records open no month here.
WHERE d.AAE078 = '1' AND coalesce(d.AAE017, '0') <> '1' AND d.AAA115 IN ('10', '31', '32', '33', '40')
  AND coalesce(d.YAA115, '0') NOT IN ('2', '3', '4')
GROUP BY n.AAZ159
