-- id: FIX-04
-- title: 性别与公民身份号码不符 / sex contradicts the citizen ID
-- advice: 先核对公安信息，再更正性别 / compare with the police record, then correct the sex
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 公安信息
-- basis: reference 5.3 FIX-04, 4.2; GB 11643; B118
-- table: AC01
-- column: AAC004
-- touches: AAC004
-- effect: change
-- among: COALESCE(AAC058, '01') IN ('01', '16') AND AAC004 IN ('1', '2') AND id_sex(AAC147) IS NOT NULL
SELECT p._key, id_sex(p.AAC147) AS AAC004,
       CASE WHEN p.BAE500 = '1' THEN 'A1' END AS _repair
FROM AC01 AS p
-- 0, 9 and empty are filled by FIL-03.
WHERE COALESCE(p.AAC058, '01') IN ('01', '16') AND p.AAC004 IN ('1', '2') AND p.AAC004 <> id_sex(p.AAC147)
