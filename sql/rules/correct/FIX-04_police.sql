-- id: FIX-04
-- title: 性别与公民身份号码不符 / sex contradicts the citizen ID
-- advice: 号码、姓名与公安一致，批量按号码更正性别 / the police know the number under this name: correct the sex in a batch
-- severity: E
-- repair: A1
-- department: 经办
-- evidence: 公安信息
-- basis: reference 5.3 FIX-04, 4.2; GB 11643; B118
-- table: AC01
-- column: AAC004
-- touches: AAC004
-- effect: change
-- among: COALESCE(AAC058, '01') IN ('01', '16') AND AAC004 IN ('1', '2') AND id_sex(AAC147) IS NOT NULL
-- needs: ext_police
SELECT p._key, id_sex(p.AAC147) AS AAC004, '公安库号码、姓名、性别一致' AS _evidence
FROM AC01 AS p
JOIN (
  SELECT g.id AS number, min(name_key(g.name)) AS name
  FROM ext_police AS g
  WHERE g.sex = id_sex(g.id)
  GROUP BY g.id
  HAVING min(name_key(g.name)) = max(name_key(g.name)) AND max(COALESCE(g.duplicate, '0')) <> '1'
) AS e ON e.number = COALESCE(id18(p.AAC147), p.AAC147) AND e.name = name_key(p.AAC003)
WHERE COALESCE(p.AAC058, '01') IN ('01', '16') AND p.AAC004 IN ('1', '2') AND p.AAC004 <> id_sex(p.AAC147)
