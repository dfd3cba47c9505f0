-- id: FIX-06
-- title: 统一社会信用代码校验不符 / unified credit code fails its check or contradicts the organisation code
-- advice: 到市场监管或编办、民政核对登记证书后更正 / compare with the register of market supervision, of the establishment office or of civil affairs, then correct
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 市监登记信息
-- basis: reference 5.3 FIX-06, 4.3, 4.4; GB 32100, GB 11714
-- table: AB01
-- column: AAB998
-- effect: none
-- among: AAB998 IS NOT NULL
SELECT p._key,
       CASE WHEN NOT uscc_valid(p.AAB998) THEN '校验不通过'
            WHEN NOT orgcode_valid(uscc_orgcode(p.AAB998)) THEN '第9至17位不符合组织机构代码校验'
            ELSE '第9至17位与组织机构代码不一致' END AS _evidence
FROM AB01 AS p
-- An organisation code that is itself wrong is FIX-07: the credit code says what it must be.
WHERE btrim(p.AAB998) <> ''
  AND (NOT uscc_valid(p.AAB998) OR NOT orgcode_valid(uscc_orgcode(p.AAB998))
       OR orgcode_valid(p.AAB003) AND replace(p.AAB003, '-', '') <> uscc_orgcode(p.AAB998))
