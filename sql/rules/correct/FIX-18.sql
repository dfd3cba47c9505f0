-- id: FIX-18
-- title: 单位名称与市监、税务登记不同 / unit name differs from the register under the same credit code
-- advice: 经办科确认后批量采用登记名称 / after the service section has agreed, the registered name is taken in a batch
-- severity: E
-- repair: A1
-- department: 经办
-- evidence: 市监登记信息
-- basis: reference 5.3 FIX-18; TAX
-- table: AB01
-- column: AAB004
-- touches: AAB004
-- effect: change
-- among: uscc_valid(AAB998)
-- needs: ext_market
SELECT p._key, e.name AS AAB004, '市监登记名称' AS _evidence
FROM AB01 AS p
JOIN (
  SELECT g.uscc AS code, min(g.name) AS name
  FROM ext_market AS g
  WHERE btrim(g.name) <> ''
  GROUP BY g.uscc
  HAVING min(g.name) = max(g.name)
) AS e ON e.code = p.AAB998
-- Spaces and full-width brackets make no other name. An empty name is not this rule's.
WHERE uscc_valid(p.AAB998) AND btrim(p.AAB004) <> ''
  AND replace(half_width(p.AAB004), ' ', '') <> replace(half_width(e.name), ' ', '')
