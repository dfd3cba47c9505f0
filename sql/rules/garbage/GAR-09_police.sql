-- id: GAR-09
-- title: 号码为占位或公安比对不符的人员在领待遇 / benefit in payment under a placeholder ID, or for somebody whom the police do not know
-- advice: 立即上报省局；养老科先暂停发放，待资格认证、公安、民政核实后处理 /
--    report to the province at once; the pension section suspends payment until certification, police and civil affairs have answered
-- severity: E
-- repair: P
-- department: 养老
-- evidence: 资格认证、公安、民政
-- basis: reference 5.1 GAR-09
-- table: AC60
-- column: AAE116
-- touches: AAE116
-- effect: change
-- among: AAE116 = '1'
-- needs: ext_police
SELECT b._key, '2' AS AAE116, k.why AS _evidence
FROM AC60 AS b
JOIN unknown_to_police AS k ON k.AAC001 = b.AAC001
WHERE b.AAE116 = '1'
