-- id: LOG-05
-- title: 退休后仍有养老正常缴费 / ordinary pension contribution after the month of retirement
-- advice: 对照退休审批表核实；属补缴的更正缴费类型，多缴的按规定退费 / compare with the retirement approval; correct the type of back payments, refund what was paid too much
-- severity: E
-- repair: V
-- department: 养老
-- evidence: 退休审批表
-- basis: reference 5.6
-- table: AC43
-- column: AAE003
-- effect: none
-- among: AAE140 = '110'
SELECT d._key,
       min(concat('退休', CAST(p.retired AS VARCHAR), '，所属期', CAST(d.AAE003 AS VARCHAR),
              CASE WHEN d.AAE078 = '1' THEN '，已到账' ELSE '，未到账' END)) AS _evidence,
       min(CAST(p.home AS VARCHAR)) AS _group
FROM AC43 AS d
JOIN person_state AS p ON p.AAC001 = d.AAC001
-- Only ordinary months (10, not transferred and not recorded later): back payments of any kind and refunds are legal. Who retires later
-- by agreement has a later AIC162. After death it is LOG-04.
WHERE d.AAE140 = '110' AND d.AAE003 > p.retired AND (p.died IS NULL OR d.AAE003 <= p.died)
  AND d.AAA115 = '10' AND coalesce(d.YAA115, '0') IN ('0', '1') AND (d.AAE017 IS DISTINCT FROM '1')
GROUP BY d._key
