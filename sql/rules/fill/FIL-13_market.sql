-- id: FIL-13
-- title: 法定代表人、专管员或联系人为空 / legal representative, handler or contact is empty
-- advice: 市监登记的法定代表人供核对后采用 / the register's legal representative, to be confirmed by the unit
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 市监登记信息
-- basis: reference 5.4 FIL-13
-- table: AB01
-- column: AAE045
-- touches: AAE045
-- effect: change
-- needs: ext_market
SELECT p._key, e.person AS AAE045, '市监登记信息' AS _evidence
FROM AB01 AS p
JOIN (
  SELECT g.uscc AS code, min(btrim(g.legal_person)) AS person
  FROM ext_market AS g
  WHERE btrim(g.legal_person) <> ''
  GROUP BY g.uscc
  HAVING min(btrim(g.legal_person)) = max(btrim(g.legal_person))
) AS e ON e.code = p.AAB998
WHERE btrim(COALESCE(p.AAE045, '')) = '' AND uscc_valid(p.AAB998)
