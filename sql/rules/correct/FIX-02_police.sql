-- id: FIX-02
-- title: 证件号码为15位 / the citizen ID still has 15 digits
-- advice: 公安库有同号码、同姓名的人员，批量采用18位号码 / the police know this number under this name: take the 18 digits in a batch
-- severity: E
-- repair: A1
-- department: 经办
-- evidence: 公安信息
-- basis: reference 5.3 FIX-02, 4.1, 9.8
-- table: AC01
-- column: AAC147
-- touches: AAC147
-- effect: change
-- among: COALESCE(AAC058, '01') IN ('01', '16') AND AAC147 IS NOT NULL
-- needs: ext_police
SELECT p._key, id18(p.AAC147) AS AAC147, '公安库有同号码、同姓名的人员' AS _evidence
FROM AC01 AS p
JOIN (
  SELECT g.id AS number, min(name_key(g.name)) AS name
  FROM ext_police AS g
  GROUP BY g.id
  HAVING min(name_key(g.name)) = max(name_key(g.name)) AND max(COALESCE(g.duplicate, '0')) <> '1'
) AS e ON e.number = id18(p.AAC147) AND e.name = name_key(p.AAC003)
WHERE COALESCE(p.AAC058, '01') IN ('01', '16') AND id_check(p.AAC147) = 'ok15'
