-- id: GAR-08
-- title: 测试单位、测试人员的未到账缴费明细 / unpaid details of test units and test persons
-- advice: 随单位、人员同批作废，不上报，不产生欠费 / void with the unit or person in the same batch; no arrears follow
-- severity: E
-- repair: A1
-- department: 经办
-- evidence: 与 GAR-01、GAR-03 同批
-- basis: reference 5.1 GAR-08
-- table: AC43
-- column: AAE078
-- effect: exclude
-- among: AAE078 = '0'
SELECT d._key,
       CASE WHEN t.AAB001 IS NOT NULL THEN '单位为测试单位，无到账' ELSE '人员为测试人员，无到账' END AS _evidence
FROM AC43 AS d
LEFT JOIN test_unit AS t ON t.AAB001 = d.AAB001 AND NOT t.arrived
LEFT JOIN fake_person AS f ON f.AAC001 = d.AAC001
WHERE d.AAE078 = '0' AND (t.AAB001 IS NOT NULL OR f.AAC001 IS NOT NULL)
