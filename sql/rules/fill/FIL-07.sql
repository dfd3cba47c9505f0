-- id: FIL-07
-- title: 联系电话为空 / phone is empty
-- advice: 有手机号码的批量采用；其余通过单位联系补录，省局允许时按统一规则 /
--    the mobile number is taken in a batch; else asked for through the unit, or by the province's uniform rule
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 单位或本人提供
-- basis: reference 5.4 FIL-07; ref_uniform_values
-- table: AC01
-- column: AAE005
-- touches: AAE005
-- effect: change
-- params: mobile = '^1[3-9][0-9]{9}$'
SELECT p._key,
       CASE WHEN regexp_like(p.AAC067, $mobile) THEN p.AAC067 ELSE u.value END AS AAE005,
       CASE WHEN regexp_like(p.AAC067, $mobile) OR u.value IS NOT NULL THEN 'A1' END AS _repair,
       CASE WHEN regexp_like(p.AAC067, $mobile) THEN '本人手机号码' WHEN u.value IS NOT NULL THEN '统一规则' END AS _evidence
FROM AC01 AS p
LEFT JOIN ref_uniform_values AS u ON u."rule" = 'FIL-07' AND u."column" = 'AAE005' AND u.standing <> 'proposed'
WHERE btrim(COALESCE(p.AAE005, '')) = ''
