-- id: FIL-12
-- title: 在保单位统一社会信用代码为空 / active unit without a unified credit code
-- advice: 名称、注册号、法人均一致且唯一的批量采用市监代码，法人不一致的由经办科核定 /
--    taken from the register in a batch where name, number and representative agree with exactly one unit; decided by a clerk where only the last differs
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 市监登记信息
-- basis: reference 5.4 FIL-12
-- table: AB01
-- column: AAB998
-- touches: AAB998
-- effect: change
-- needs: ext_market
-- params: transfer = '99999999'
SELECT p._key, e.code AS AAB998,
       CASE WHEN name_key(p.AAE045) = e.legal THEN 'A1' END AS _repair,
       CASE WHEN name_key(p.AAE045) = e.legal THEN '市监库名称、注册号、法人一致且唯一' ELSE '市监库名称、注册号一致，法人不一致或为空' END AS _evidence
FROM AB01 AS p
JOIN (
  SELECT replace(half_width(btrim(m.name)), ' ', '') AS name, m.regno AS regno, min(m.uscc) AS code, min(name_key(m.legal_person)) AS legal
  FROM ext_market AS m
  WHERE uscc_valid(m.uscc)
  GROUP BY replace(half_width(btrim(m.name)), ' ', ''), m.regno
  HAVING min(m.uscc) = max(m.uscc)
) AS e ON e.name = replace(half_width(btrim(p.AAB004)), ' ', '') AND e.regno = p.AAB007
JOIN (SELECT DISTINCT r.AAB001 AS AAB001 FROM AB02 AS r WHERE r.AAE140 IN ('110', '210') AND r.AAB051 = '1') AS a ON a.AAB001 = p.AAB001
LEFT JOIN (
  SELECT w.AAB001 AS AAB001, max(GREATEST(COALESCE(w.YWS001, '0'), COALESCE(w.YWS002, '0'), COALESCE(w.YWS003, '0'))) AS gone
  FROM W_UNIT_STATE AS w GROUP BY w.AAB001
) AS s ON s.AAB001 = p.AAB001
WHERE btrim(COALESCE(p.AAB998, '')) = '' AND COALESCE(p.AAE119, '1') NOT IN ('2', '3') AND COALESCE(s.gone, '0') <> '1'
  AND p.AAB999 <> $transfer
  AND NOT (COALESCE(p.AAB019, '') = '99' AND (COALESCE(p.AAB020, '') = '900' OR COALESCE(p.AAB065, '') = '2'))
