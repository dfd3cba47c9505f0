-- id: GAR-02
-- title: 名称为测试用语的单位有到账缴费 / a unit under a test name has arrived payments
-- advice: 核对银行、税务凭证：确属真实单位的更正名称；确属测试的汇总后上报省局，不得自行清理 /
--    compare with bank and tax vouchers: a real unit gets its name; a test with money is reported to the province, never cleaned here
-- severity: E
-- repair: V
-- department: 审计
-- evidence: 银行、税务凭证；经办、审计
-- basis: reference 5.1 GAR-02
-- table: AB01
-- column: AAB004
-- effect: none
-- among: AAB004 IS NOT NULL
SELECT u._key, '名称为测试用语，有到账记录' AS _evidence
FROM AB01 AS u
JOIN test_unit AS t ON t.AAB001 = u.AAB001
WHERE t.arrived
