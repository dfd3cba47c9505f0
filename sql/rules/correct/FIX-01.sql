-- id: FIX-01
-- title: 公民身份号码校验码错误 / check digit of the citizen ID fails
-- advice: 调取身份证复印件或公安信息核对后更正，不得自行推算校验码 /
--    compare with a copy of the ID card or the police record; never compute a check digit to fit
-- severity: B
-- repair: V
-- department: 经办
-- evidence: 公安信息或身份证复印件
-- basis: reference 5.3 FIX-01, 4.1; GB 11643
-- table: AC01
-- column: AAC147
-- effect: none
-- among: COALESCE(AAC058, '01') IN ('01', '16') AND AAC147 IS NOT NULL
SELECT p._key
FROM AC01 AS p
-- Other documents (passports, officers' cards) have numbers of their own form.
WHERE COALESCE(p.AAC058, '01') IN ('01', '16') AND id_check(p.AAC147) = 'digit'
