-- id: FIX-01
-- title: 公民身份号码校验码错误 / check digit of the citizen ID fails
-- advice: 公安库按姓名、出生日期仅有一人时批量采用公安号码 / where the police know exactly one person of this name and birth, take that number in a batch
-- severity: B
-- repair: A1
-- department: 经办
-- evidence: 公安信息
-- basis: reference 5.3 FIX-01, 4.1; GB 11643
-- table: AC01
-- column: AAC147
-- touches: AAC147
-- effect: change
-- among: COALESCE(AAC058, '01') IN ('01', '16') AND AAC147 IS NOT NULL
-- needs: ext_police
SELECT p._key, e.number AS AAC147, '公安库按姓名、出生日期仅有一人' AS _evidence
FROM AC01 AS p
JOIN (
  SELECT name_key(g.name) AS name, g.birth AS birth, min(g.id) AS number, min(g.sex) AS sex
  FROM ext_police AS g
  WHERE id_valid(g.id)
  GROUP BY name_key(g.name), g.birth
  HAVING min(g.id) = max(g.id) AND max(COALESCE(g.duplicate, '0')) <> '1'
) AS e ON e.name = name_key(p.AAC003) AND e.birth = p.AAC006
WHERE COALESCE(p.AAC058, '01') IN ('01', '16') AND id_check(p.AAC147) = 'digit'
  AND (p.AAC004 = e.sex OR p.AAC004 IS NULL OR e.sex IS NULL OR p.AAC004 NOT IN ('1', '2'))
