-- id: FIL-04
-- title: 民族为空 / ethnic group is empty
-- advice: 号码、姓名与公安一致的批量采用公安民族 / taken from the police record in a batch where number and name agree
-- severity: E
-- repair: A1
-- department: 经办
-- evidence: 公安信息
-- basis: reference 5.4 FIL-04
-- table: AC01
-- column: AAC005
-- touches: AAC005
-- effect: change
-- needs: ext_police
SELECT p._key, e.nation AS AAC005, '公安信息' AS _evidence
FROM AC01 AS p
JOIN (
  SELECT g.id AS number, min(name_key(g.name)) AS name, min(g.nation) AS nation
  FROM ext_police AS g
  WHERE in_code('AAC005', g.nation)
  GROUP BY g.id
  HAVING min(name_key(g.name)) = max(name_key(g.name)) AND min(g.nation) = max(g.nation) AND max(COALESCE(g.duplicate, '0')) <> '1'
) AS e ON e.number = COALESCE(id18(p.AAC147), p.AAC147) AND e.name = name_key(name_clean(p.AAC003))
WHERE btrim(COALESCE(p.AAC005, '')) = ''
