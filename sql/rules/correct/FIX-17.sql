-- id: FIX-17
-- title: 生存状态与公安、民政不一致 / police or civil affairs and the system disagree on whether a person lives
-- advice: 核对死亡证明、火化证明；在领待遇的先由养老科停发并上报省局 /
--    compare with the certificates; a benefit in payment is stopped by the pension section and goes to the province
-- severity: E
-- repair: V
-- department: 养老
-- evidence: 死亡证明、火化证明、公安信息
-- basis: reference 5.3 FIX-17
-- table: AC01
-- column: AAC060
-- touches: AAC060, AAE138
-- effect: change
-- among: id_check(AAC147) IN ('ok', 'ok15')
-- needs: ext_police
SELECT p._key,
       CASE WHEN e.alive = '0' THEN '2' ELSE '1' END AS AAC060,
       CASE WHEN e.alive = '0' AND p.AAE138 IS NULL THEN COALESCE(d.died, e.died) END AS AAE138,
       CASE WHEN b.AAC001 IS NOT NULL AND e.alive = '0' THEN 'P' END AS _repair,
       CASE WHEN b.AAC001 IS NOT NULL AND e.alive = '0' THEN '公安登记死亡，系统为生存，待遇在发'
            WHEN e.alive = '0' THEN '公安登记死亡，系统为生存'
            ELSE '公安登记生存，系统为死亡' END AS _evidence
FROM AC01 AS p
JOIN (
  SELECT g.id AS number, min(name_key(g.name)) AS name, min(name_key(g.former_name)) AS former, min(g.alive) AS alive, min(g.death_date) AS died
  FROM ext_police AS g
  GROUP BY g.id
  -- Two people under one number: which of them died is not known.
  HAVING min(name_key(g.name)) = max(name_key(g.name)) AND min(g.alive) = max(g.alive) AND max(COALESCE(g.duplicate, '0')) <> '1'
) AS e ON e.number = COALESCE(id18(p.AAC147), p.AAC147)
LEFT JOIN (SELECT s.AAC001 AS AAC001, min(s.AAE138) AS died FROM AC26 AS s GROUP BY s.AAC001) AS d ON d.AAC001 = p.AAC001
-- Under the pension number of the same person the death is known: the unemployment side keeps none.
LEFT JOIN (SELECT DISTINCT s.AAC001 AS AAC001 FROM person_state AS s WHERE s.died IS NOT NULL) AS k ON k.AAC001 = p.AAC001
-- Benefits in payment, by the retirees' table or by any insurance.
LEFT JOIN (
  SELECT i.AAC001 AS AAC001 FROM IC10 AS i WHERE i.AAE116 = '1' AND i.AAC001 IS NOT NULL
  UNION
  SELECT c.AAC001 AS AAC001 FROM AC60 AS c WHERE c.AAE116 = '1' AND c.AAC001 IS NOT NULL
) AS b ON b.AAC001 = p.AAC001
WHERE id_check(p.AAC147) IN ('ok', 'ok15')
  AND (name_key(name_clean(p.AAC003)) = e.name OR name_key(name_clean(p.AAC003)) = e.former)
  AND (e.alive = '0' AND COALESCE(p.AAC060, '1') <> '2' AND p.AAE138 IS NULL AND d.AAC001 IS NULL AND k.AAC001 IS NULL
       OR e.alive = '1' AND (p.AAC060 = '2' OR p.AAE138 IS NOT NULL OR d.AAC001 IS NOT NULL))
