-- id: LOG-04
-- title: 死亡后仍有缴费或待遇 / contribution or benefit after the month of death
-- advice: 先核实死亡时间，停发待遇，多缴多发的上报省局处理 / verify the date of death, stop the benefit, report what was paid too much to the province
-- severity: E
-- repair: P
-- department: 养老
-- evidence: 公安、民政
-- basis: reference 5.6
-- table: AC82
-- column: AAE002
-- effect: none
-- among: AAE140 IN ('110', '210')
SELECT d._key,
       min(concat('死亡', CAST(p.died AS VARCHAR), '，发放期', CAST(d.AAE002 AS VARCHAR))) AS _evidence,
       min(CAST(p.home AS VARCHAR)) AS _group
FROM AC82 AS d
JOIN person_state AS p ON p.AAC001 = d.AAC001
-- 31 and 41: the payment failed, nothing left the fund. What is not positive takes money back.
WHERE d.AAE140 IN ('110', '210') AND d.AAE002 > p.died
  AND coalesce(d.AAE117, '') NOT IN ('31', '41') AND d.AAE019 > 0
GROUP BY d._key
