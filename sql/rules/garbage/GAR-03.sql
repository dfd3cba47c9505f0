-- id: GAR-03
-- title: 测试人员或占位姓名，无到账缴费、无待遇 / test person or placeholder name, no arrived payment, no benefit
-- advice: 核对无缴费、无待遇后整批不上报；不退费、不返还账户、不做一次性结算 /
--    after it is certain that there is neither payment nor benefit the batch is left out; nothing is refunded, paid out or settled
-- severity: E
-- repair: A1
-- department: 经办
-- evidence: AC43、AC82 无记录；经办
-- basis: reference 5.1 GAR-03
-- table: AC01
-- column: AAC003
-- effect: exclude
-- among: AAC003 IS NOT NULL
SELECT p._key, '姓名为测试用语或占位，无到账缴费、无待遇' AS _evidence
FROM AC01 AS p
JOIN fake_person AS f ON f.AAC001 = p.AAC001
