-- id: GAR-06
-- title: 注销或测试单位下无任何缴费的在保人员 / active spell at a cancelled or test unit, nothing ever paid
-- advice: 随参保明细一并处理：没有其他明细的终止，还有暂停明细的改为暂停 /
--    goes with the spell: terminated where there is no other one, paused where a paused one is left
-- severity: E
-- repair: A1
-- department: 经办
-- evidence: 市监注销信息
-- basis: reference 5.1 GAR-06; seed item 1
-- table: AC02
-- column: AAC008
-- touches: AAC008
-- effect: change
-- among: AAC008 IN ('1', '2') AND AAE140 IN ('110', '210')
SELECT r._key, CASE WHEN s.paused > 0 THEN '2' ELSE '4' END AS AAC008,
       '唯一在保明细在注销或测试单位下，无到账缴费' AS _evidence
FROM AC02 AS r
JOIN (
    SELECT c.AAZ159,
           count(*) FILTER (WHERE d.AAZ157 IS NOT NULL AND c.AAC031 = '1') AS dead,
           count(*) FILTER (WHERE d.AAZ157 IS NULL AND coalesce(c.AAC031, '1') = '1') AS active,
           count(*) FILTER (WHERE c.AAC031 = '2') AS paused,
           count(*) FILTER (WHERE c.AAC084 = '1') AS retired
    FROM AC20 AS c
    LEFT JOIN dead_unit_spell AS d ON d.spell_key = c._key
    GROUP BY c.AAZ159
) AS s ON s.AAZ159 = r.AAZ159
-- A pensioner's relation stays active although the spells have ended.
WHERE s.dead > 0 AND s.active = 0 AND s.retired = 0
  AND (r.AAC008 = '1' OR r.AAC008 = '2' AND s.paused = 0)
