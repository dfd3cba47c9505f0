-- id: FIX-07
-- title: 组织机构代码校验不符或全零 / organisation code fails its check or is all zeros
-- advice: 信用代码有效的由其第9至17位取得，其余向市监核对 / taken from a sound credit code, else compared with the register
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 市监登记信息
-- basis: reference 5.3 FIX-07, 4.4; GB 11714
-- table: AB01
-- column: AAB003
-- touches: AAB003
-- effect: change
-- among: AAB003 IS NOT NULL
SELECT p._key,
       CASE WHEN uscc_valid(p.AAB998) AND orgcode_valid(uscc_orgcode(p.AAB998)) THEN uscc_orgcode(p.AAB998) END AS AAB003,
       CASE WHEN uscc_valid(p.AAB998) AND orgcode_valid(uscc_orgcode(p.AAB998)) THEN 'A1' END AS _repair
FROM AB01 AS p
WHERE btrim(p.AAB003) <> '' AND NOT orgcode_valid(p.AAB003)
