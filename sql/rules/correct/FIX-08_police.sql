-- id: FIX-08
-- title: 姓名含造字、问号、数字、括号或后缀 / name with private characters, question marks, digits, brackets or a suffix
-- advice: 公安姓名仅在坏字处不同的供核对后采用 / the police name that differs only where the bad characters stand, to be compared with the ID card
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 公安姓名、身份证复印件
-- basis: reference 5.3 FIX-08, 6.6
-- table: AC01
-- column: AAC003
-- touches: AAC003
-- effect: change
-- among: AAC003 IS NOT NULL
-- needs: ext_police
-- params: bad = '[\p{Co}\x{FFFD}?？]'
SELECT p._key, e.name AS AAC003, '公安姓名其余各字一致' AS _evidence
FROM AC01 AS p
JOIN (
  SELECT g.id AS number, min(g.name) AS name
  FROM ext_police AS g
  GROUP BY g.id
  HAVING min(g.name) = max(g.name) AND max(COALESCE(g.duplicate, '0')) <> '1'
) AS e ON e.number = COALESCE(id18(p.AAC147), p.AAC147)
-- Each bad character stands for one that the old system could not write.
WHERE id_check(p.AAC147) IN ('ok', 'ok15') AND regexp_like(p.AAC003, $bad)
  AND name_clean(e.name) LIKE regexp_replace(name_clean(p.AAC003), $bad, '_', 'g')
