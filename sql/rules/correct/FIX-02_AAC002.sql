-- id: FIX-02
-- title: 证件号码为15位 / the citizen ID still has 15 digits
-- advice: 证件号码已为18位且校验正确，社会保障号码随之更新 / the citizen ID has been corrected: the social security number follows it
-- severity: E
-- repair: A0
-- department: 经办
-- evidence: 已更正的证件号码
-- basis: reference 5.3 FIX-02, 1 T05: AAC002 is the 18-digit ID of citizens
-- table: AC01
-- column: AAC002
-- touches: AAC002
-- effect: change
-- among: COALESCE(AAC058, '01') IN ('01', '16') AND AAC002 IS NOT NULL
SELECT p._key, p.AAC147 AS AAC002
FROM AC01 AS p
-- Two sound numbers that differ are not this rule's business: which one holds is for people to say.
WHERE COALESCE(p.AAC058, '01') IN ('01', '16') AND id_valid(p.AAC147) AND length(p.AAC147) = 18
  AND btrim(p.AAC002) <> '' AND p.AAC002 <> p.AAC147 AND NOT id_valid(p.AAC002)
