-- id: FIL-03
-- title: 性别或出生日期为空而号码有效 / sex or birth date is empty, the ID is sound
-- advice: 由公民身份号码自动取得 / taken from the citizen ID in the same run
-- severity: E
-- repair: A0
-- department: 经办
-- evidence: 公民身份号码
-- basis: reference 5.4 FIL-03, 4.1, 4.2; GB 11643
-- table: AC01
-- column: AAC004
-- touches: AAC004, AAC006
-- effect: change
-- among: COALESCE(AAC058, '01') IN ('01', '16') AND id_check(AAC147) IN ('ok', 'ok15')
SELECT p._key,
       CASE WHEN btrim(COALESCE(p.AAC004, '')) IN ('', '0', '9') THEN id_sex(p.AAC147) END AS AAC004,
       CASE WHEN p.AAC006 IS NULL THEN id_birth(p.AAC147) END AS AAC006
FROM AC01 AS p
-- 0 and 9 say that the sex is not known. Without a sound ID the check of the structure finds what is empty.
WHERE COALESCE(p.AAC058, '01') IN ('01', '16') AND id_check(p.AAC147) IN ('ok', 'ok15')
  AND (btrim(COALESCE(p.AAC004, '')) IN ('', '0', '9') OR p.AAC006 IS NULL)
