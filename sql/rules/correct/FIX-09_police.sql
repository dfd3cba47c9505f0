-- id: FIX-09
-- title: 同一号码姓名不一致（养老、失业两侧或与公安） / same ID, another name on the unemployment side or with the police
-- advice: 逐人核对身份证和曾用名后更正，不得批量改名 / by the ID card and former names, one by one; names are never changed in a batch
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 公安信息、身份证复印件、曾用名证明
-- basis: reference 5.3 FIX-09
-- table: AC01
-- column: AAC003
-- touches: AAC003
-- effect: change
-- among: id_check(AAC147) IN ('ok', 'ok15') AND AAC003 IS NOT NULL
-- needs: ext_police
SELECT p._key, e.name AS AAC003,
       CASE WHEN name_key(p.AAC003) = name_key(e.former) THEN '现登记姓名与公安曾用名一致' END AS _evidence
FROM AC01 AS p
JOIN (
  SELECT g.id AS number, min(g.name) AS name, min(g.former_name) AS former
  FROM ext_police AS g
  GROUP BY g.id
  HAVING min(name_key(g.name)) = max(name_key(g.name)) AND max(COALESCE(g.duplicate, '0')) <> '1'
) AS e ON e.number = COALESCE(id18(p.AAC147), p.AAC147)
-- A known suffix is FIX-08's; the rest of the name is compared.
WHERE id_check(p.AAC147) IN ('ok', 'ok15') AND name_key(name_clean(p.AAC003)) <> name_key(e.name)
  -- A name with characters that say nothing is FIX-08's.
  AND NOT regexp_like(p.AAC003, '[\p{Co}\x{FFFD}?？]')
