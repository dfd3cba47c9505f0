-- id: FIX-06
-- title: 统一社会信用代码校验不符 / unified credit code fails its check or contradicts the organisation code
-- advice: 市监库按名称和注册号仅有一户，批量采用其代码 / where the register has exactly one unit of this name and number, take its code in a batch
-- severity: E
-- repair: A1
-- department: 经办
-- evidence: 市监登记信息
-- basis: reference 5.3 FIX-06, 4.3, 4.4; GB 32100, GB 11714
-- table: AB01
-- column: AAB998
-- touches: AAB998
-- effect: change
-- among: AAB998 IS NOT NULL
-- needs: ext_market
SELECT p._key, e.code AS AAB998, '市监库名称、注册号一致且唯一' AS _evidence
FROM AB01 AS p
JOIN (
  SELECT replace(half_width(btrim(m.name)), ' ', '') AS name, m.regno AS regno, min(m.uscc) AS code
  FROM ext_market AS m
  WHERE uscc_valid(m.uscc)
  GROUP BY replace(half_width(btrim(m.name)), ' ', ''), m.regno
  HAVING min(m.uscc) = max(m.uscc)
) AS e ON e.name = replace(half_width(btrim(p.AAB004)), ' ', '') AND e.regno = p.AAB007
WHERE btrim(p.AAB998) <> '' AND p.AAB998 <> e.code
  AND (NOT uscc_valid(p.AAB998) OR NOT orgcode_valid(uscc_orgcode(p.AAB998))
       OR orgcode_valid(p.AAB003) AND replace(p.AAB003, '-', '') <> uscc_orgcode(p.AAB998))
