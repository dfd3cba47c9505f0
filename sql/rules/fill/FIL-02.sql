-- id: FIL-02
-- title: 证件号码为空 / citizen ID is empty
-- advice: 失业侧同一编号、同名人员的号码仅供参考，凭公安信息或证件补录 /
--    the number that the unemployment side has for the same person is a candidate only; entered from the police record or the card
-- severity: B
-- repair: V
-- department: 经办
-- evidence: 公安信息、身份证复印件
-- basis: reference 5.4 FIL-02; B118
-- table: AC01
-- column: AAC147
-- touches: AAC147
-- effect: change
SELECT p._key, w.number AS AAC147, CASE WHEN w.number IS NOT NULL THEN '失业侧同一人员的号码' END AS _evidence
FROM AC01 AS p
LEFT JOIN (
  SELECT l.YWL001 AS pension, name_key(l.AAC003) AS name, min(COALESCE(id18(l.AAC147), l.AAC147)) AS number
  FROM W_NUMBER_LINK AS l
  WHERE id_check(l.AAC147) IN ('ok', 'ok15')
  GROUP BY l.YWL001, name_key(l.AAC003)
  HAVING min(COALESCE(id18(l.AAC147), l.AAC147)) = max(COALESCE(id18(l.AAC147), l.AAC147))
) AS w ON w.pension = p.AAC999 AND w.name = name_key(p.AAC003)
WHERE btrim(COALESCE(p.AAC147, '')) = ''
