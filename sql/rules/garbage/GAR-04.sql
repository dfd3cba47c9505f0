-- id: GAR-04
-- title: 证件号码为占位号码 / placeholder instead of a citizen ID
-- advice: 用姓名、单位向公安核查并联系本人或单位，取得真实号码后更正；查无此人的上报省局 /
--    ask the police by name and unit, contact the person or the employer; who cannot be found is reported to the province
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 公安比对；联系本人或单位
-- basis: reference 5.1 GAR-04, 9.8
-- table: AC01
-- column: AAC147
-- effect: none
-- among: AAC147 IS NOT NULL
SELECT p._key, h.why AS _evidence
FROM AC01 AS p
JOIN placeholder_id AS h ON h.AAC001 = p.AAC001
