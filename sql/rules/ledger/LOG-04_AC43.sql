-- id: LOG-04
-- title: 死亡后仍有缴费或待遇 / contribution or benefit after the month of death
-- advice: 先核实死亡时间，停发待遇，多缴多发的上报省局处理 / verify the date of death, stop the benefit, report what was paid too much to the province
-- severity: E
-- repair: P
-- department: 养老
-- evidence: 公安、民政
-- basis: reference 5.6
-- table: AC43
-- column: AAE003
-- effect: none
-- among: AAE140 IN ('110', '210')
SELECT d._key,
       min(concat('死亡', CAST(p.died AS VARCHAR), '，所属期', CAST(d.AAE003 AS VARCHAR),
              CASE WHEN d.AAE078 = '1' THEN '，已到账' ELSE '，未到账' END)) AS _evidence,
       min(CAST(p.home AS VARCHAR)) AS _group
FROM AC43 AS d
JOIN person_state AS p ON p.AAC001 = d.AAC001
-- Refunds (20) go to the heirs and are legal; a reversed row has no effect.
WHERE d.AAE140 IN ('110', '210') AND d.AAE003 > p.died
  AND d.AAA115 <> '20' AND (d.AAE017 IS DISTINCT FROM '1')
GROUP BY d._key
