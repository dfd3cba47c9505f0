-- id: GAR-01
-- title: 测试单位，从无到账缴费 / test unit, no payment ever arrived
-- advice: 确认无到账凭证后由经办科在清单上签字，整批不上报；不退费、不返还账户、不做一次性结算 /
--    after it is certain that no voucher exists the list is signed and the batch is left out; nothing is refunded, paid out or settled
-- severity: E
-- repair: A1
-- department: 经办
-- evidence: 无到账凭证；经办签字清单
-- basis: reference 5.1 GAR-01
-- table: AB01
-- column: AAB004
-- effect: exclude
-- among: AAB004 IS NOT NULL
SELECT u._key, '名称为测试用语，无到账记录' AS _evidence
FROM AB01 AS u
JOIN test_unit AS t ON t.AAB001 = u.AAB001
WHERE NOT t.arrived
