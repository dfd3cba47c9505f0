-- id: FIX-05
-- title: 出生日期与公民身份号码不符 / birth date contradicts the citizen ID
-- advice: 号码、姓名与公安一致的在职人员，自动按号码更正 / of workers whom the police know under number and name it is corrected in the same run
-- severity: E
-- repair: A0
-- department: 养老
-- evidence: 公安信息
-- basis: reference 5.3 FIX-05, 4.2; QHD; INV-06
-- table: AC01
-- column: AAC006
-- touches: AAC006
-- effect: change
-- among: COALESCE(AAC058, '01') IN ('01', '16') AND AAC006 IS NOT NULL AND id_birth(AAC147) IS NOT NULL
-- needs: ext_police
SELECT p._key, id_birth(p.AAC147) AS AAC006, '公安库号码、姓名一致' AS _evidence
FROM AC01 AS p
JOIN (
  SELECT g.id AS number, min(name_key(g.name)) AS name
  FROM ext_police AS g
  GROUP BY g.id
  HAVING min(name_key(g.name)) = max(name_key(g.name)) AND max(COALESCE(g.duplicate, '0')) <> '1'
) AS e ON e.number = COALESCE(id18(p.AAC147), p.AAC147) AND e.name = name_key(p.AAC003)
LEFT JOIN (SELECT DISTINCT i.AAC001 AS AAC001 FROM IC10 AS i) AS r ON r.AAC001 = p.AAC001
WHERE COALESCE(p.AAC058, '01') IN ('01', '16') AND p.AAC006 <> id_birth(p.AAC147)
  AND COALESCE(p.AAC084, '0') <> '1' AND r.AAC001 IS NULL AND COALESCE(p.YAC516, p.AAC006) = p.AAC006
