-- id: FIL-12
-- title: 在保单位统一社会信用代码为空 / active unit without a unified credit code
-- advice: 税号为信用代码的仅供参考；向市监、编办、民政核对后补录，已注销单位可为空 /
--    a tax number that is a credit code is a candidate; entered from the register; cancelled units may be without
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 市监、编办、民政登记信息
-- basis: reference 5.4 FIL-12
-- table: AB01
-- column: AAB998
-- touches: AAB998
-- effect: change
-- params: transfer = '99999999'
SELECT p._key, CASE WHEN uscc_valid(p.AAB030) THEN p.AAB030 END AS AAB998,
       CASE WHEN uscc_valid(p.AAB030) THEN '税号为有效信用代码' END AS _evidence
FROM AB01 AS p
JOIN (SELECT DISTINCT r.AAB001 AS AAB001 FROM AB02 AS r WHERE r.AAE140 IN ('110', '210') AND r.AAB051 = '1') AS a ON a.AAB001 = p.AAB001
LEFT JOIN (
  SELECT w.AAB001 AS AAB001, max(GREATEST(COALESCE(w.YWS001, '0'), COALESCE(w.YWS002, '0'), COALESCE(w.YWS003, '0'))) AS gone
  FROM W_UNIT_STATE AS w GROUP BY w.AAB001
) AS s ON s.AAB001 = p.AAB001
WHERE btrim(COALESCE(p.AAB998, '')) = '' AND COALESCE(p.AAE119, '1') NOT IN ('2', '3') AND COALESCE(s.gone, '0') <> '1'
  -- The number for transfers and the window of flexible workers are registered nowhere.
  AND p.AAB999 <> $transfer
  AND NOT (COALESCE(p.AAB019, '') = '99' AND (COALESCE(p.AAB020, '') = '900' OR COALESCE(p.AAB065, '') = '2'))
