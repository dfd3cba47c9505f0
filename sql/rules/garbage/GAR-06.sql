-- id: GAR-06
-- title: 注销或测试单位下无任何缴费的在保人员 / active spell at a cancelled or test unit, nothing ever paid
-- advice: 核对市监注销信息后整批终止，原因填6499；不退费、不返还账户、不做一次性结算 /
--    after a look at the market register the batch is terminated with reason 6499; nothing is refunded, paid out or settled
-- severity: E
-- repair: A1
-- department: 经办
-- evidence: 市监注销信息
-- basis: reference 5.1 GAR-06; seed item 1
-- table: AC20
-- column: AAC031
-- touches: AAC031, AAE042, AAE160
-- effect: change
-- among: AAC031 = '1' AND AAE140 IN ('110', '210')
SELECT c._key, '3' AS AAC031, '6499' AS AAE160,
       CASE WHEN c.AAE042 IS NULL THEN coalesce(d.last_month, date_period(as_of())) END AS AAE042,
       '单位已注销或为测试单位，本段无到账缴费' AS _evidence
FROM AC20 AS c
JOIN dead_unit_spell AS d ON d.spell_key = c._key
WHERE c.AAC031 = '1'
