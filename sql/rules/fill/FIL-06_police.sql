-- id: FIL-06
-- title: 户籍性质或地址为空、过短 / household type or address is empty or too short
-- advice: 号码、姓名与公安一致的批量采用公安户籍地址 / taken from the police record in a batch where number and name agree
-- severity: E
-- repair: A1
-- department: 经办
-- evidence: 公安户籍信息
-- basis: reference 5.4 FIL-06, 4.2; XA: at least 8 characters
-- table: AC01
-- column: AAC010
-- touches: AAC010
-- effect: change
-- needs: ext_police
-- params: least = 8
SELECT p._key, e.address AS AAC010, '公安户籍信息' AS _evidence
FROM AC01 AS p
JOIN (
  SELECT g.id AS number, min(name_key(g.name)) AS name, min(btrim(g.address)) AS address
  FROM ext_police AS g
  WHERE character_length(btrim(g.address)) >= $least
  GROUP BY g.id
  HAVING min(name_key(g.name)) = max(name_key(g.name)) AND min(btrim(g.address)) = max(btrim(g.address))
     AND max(COALESCE(g.duplicate, '0')) <> '1'
) AS e ON e.number = COALESCE(id18(p.AAC147), p.AAC147) AND e.name = name_key(name_clean(p.AAC003))
WHERE character_length(btrim(COALESCE(p.AAC010, ''))) < $least
