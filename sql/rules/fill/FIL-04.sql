-- id: FIL-04
-- title: 民族为空 / ethnic group is empty
-- advice: 凭公安信息补录；省局允许时按统一规则补录 / entered from the police record, or by the uniform rule where the province allows it
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 公安信息
-- basis: reference 5.4 FIL-04; ref_uniform_values
-- table: AC01
-- column: AAC005
-- touches: AAC005
-- effect: change
SELECT p._key, u.value AS AAC005, CASE WHEN u.value IS NOT NULL THEN 'A1' END AS _repair,
       CASE WHEN u.value IS NOT NULL THEN '统一规则' END AS _evidence
FROM AC01 AS p
-- A line that is only proposed waits for the province's word.
LEFT JOIN ref_uniform_values AS u ON u."rule" = 'FIL-04' AND u."column" = 'AAC005' AND u.standing <> 'proposed'
WHERE btrim(COALESCE(p.AAC005, '')) = ''
