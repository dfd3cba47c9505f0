-- id: FIL-09
-- title: 个人身份为空 / personal status is empty
-- advice: 45周岁及以上女性查阅档案核定（决定退休年龄），其余按统一规则批量补录 /
--    of women of 45 and more the archive decides, since it decides when they retire; for others the uniform value in a batch
-- severity: E
-- repair: V
-- department: 养老
-- evidence: 档案
-- basis: reference 5.4 FIL-09, 2.19; ref_uniform_values
-- table: AC01
-- column: AAC012
-- touches: AAC012
-- effect: change
-- params: age = 45
SELECT p._key,
       CASE WHEN COALESCE(CASE WHEN p.AAC004 IN ('1', '2') THEN p.AAC004 END, id_sex(p.AAC147)) = '1'
              OR COALESCE(CASE WHEN p.AAC004 IN ('1', '2') THEN p.AAC004 END, id_sex(p.AAC147)) = '2'
                 AND months(date_period(COALESCE(p.AAC006, id_birth(p.AAC147))), date_period(as_of())) < 12 * $age
            THEN u.value END AS AAC012,
       CASE WHEN u.value IS NOT NULL
             AND (COALESCE(CASE WHEN p.AAC004 IN ('1', '2') THEN p.AAC004 END, id_sex(p.AAC147)) = '1'
                  OR COALESCE(CASE WHEN p.AAC004 IN ('1', '2') THEN p.AAC004 END, id_sex(p.AAC147)) = '2'
                     AND months(date_period(COALESCE(p.AAC006, id_birth(p.AAC147))), date_period(as_of())) < 12 * $age)
            THEN 'A1' END AS _repair
FROM AC01 AS p
LEFT JOIN ref_uniform_values AS u ON u."rule" = 'FIL-09' AND u."column" = 'AAC012' AND u.standing <> 'proposed'
-- Sex or age unknown: as for a woman of 45.
WHERE btrim(COALESCE(p.AAC012, '')) = ''
