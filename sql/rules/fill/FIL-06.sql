-- id: FIL-06
-- title: 户籍性质或地址为空、过短 / household type or address is empty or too short
-- advice: 凭公安户籍信息补录；省局有统一规则的按规则补录 / entered from the police record, or by the province's uniform rule
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 公安户籍信息
-- basis: reference 5.4 FIL-06, 4.2; XA: at least 8 characters
-- table: AC01
-- column: AAC010
-- touches: AAC010
-- effect: change
-- params: least = 8
SELECT p._key, u.value AS AAC010, CASE WHEN u.value IS NOT NULL THEN 'A1' END AS _repair,
       CASE WHEN btrim(COALESCE(p.AAC010, '')) = '' THEN '户籍地址为空' ELSE '户籍地址过短' END AS _evidence
FROM AC01 AS p
-- An address that is only short is never overwritten by a filler. An empty AAC009 has no source here: the check of the structure finds it.
LEFT JOIN ref_uniform_values AS u ON u."rule" = 'FIL-06' AND u."column" = 'AAC010' AND u.standing <> 'proposed' AND btrim(COALESCE(p.AAC010, '')) = ''
WHERE character_length(btrim(COALESCE(p.AAC010, ''))) < $least
