-- id: FIX-05
-- title: 出生日期与公民身份号码不符 / birth date contradicts the citizen ID
-- advice: 在职且号码已经公安确认的自动按号码更正；离退休人员和另有档案认定的以档案为准，逐人核定 /
--    of workers with a confirmed ID it is corrected in the same run; for retirees, and where the archive says otherwise, the archive decides
-- severity: E
-- repair: V
-- department: 养老
-- evidence: 档案、公安信息
-- basis: reference 5.3 FIX-05, 4.2; QHD; INV-06
-- table: AC01
-- column: AAC006
-- touches: AAC006
-- effect: change
-- among: COALESCE(AAC058, '01') IN ('01', '16') AND AAC006 IS NOT NULL AND id_birth(AAC147) IS NOT NULL
SELECT p._key, id_birth(p.AAC147) AS AAC006,
       CASE WHEN p.BAE500 = '1' AND COALESCE(p.AAC084, '0') <> '1' AND r.AAC001 IS NULL AND COALESCE(p.YAC516, p.AAC006) = p.AAC006
            THEN 'A0' END AS _repair,
       -- YAC516 is never changed by a rule: a retiree's date must be kept there by a clerk before AAC006 is taken from the ID.
       CASE WHEN (p.AAC084 = '1' OR r.AAC001 IS NOT NULL) AND p.YAC516 IS NULL THEN '离退休人员，档案出生日期为空：更正前先将现值录入档案出生日期'
            WHEN p.AAC084 = '1' OR r.AAC001 IS NOT NULL THEN '离退休人员：退休以档案出生日期为准'
            WHEN p.YAC516 <> p.AAC006 THEN '另有档案出生日期' END AS _evidence
FROM AC01 AS p
LEFT JOIN (SELECT DISTINCT i.AAC001 AS AAC001 FROM IC10 AS i) AS r ON r.AAC001 = p.AAC001
WHERE COALESCE(p.AAC058, '01') IN ('01', '16') AND p.AAC006 <> id_birth(p.AAC147)
