-- id: REC-02
-- title: 因中断原因被终止 / ended for a reason that only interrupts
-- advice: 解除合同、参军、上学、服刑等只能暂停，整批恢复为暂停并封存 / the end of a contract, army, school or prison only pause a relation: the batch is restored as paused and frozen
-- severity: E
-- repair: A1
-- department: 经办
-- evidence: 变更日志中的原因
-- basis: reference 5.2 REC-02, 2.17; seed item 2
-- table: AC02
-- column: AAC008
-- touches: AAC008, AAE121
-- effect: change
-- among: AAC008 = '4' AND AAE140 IN ('110', '210')
SELECT r._key, '2' AS AAC008, '1' AS AAE121,
       concat('终止原因', n.reason, '只能暂停') AS _evidence
FROM AC02 AS r
JOIN ended_relation AS n ON n.relation_key = r._key
-- Without a business record it is REC-01's. An event that says death, transfer or another final reason outweighs the spell's.
WHERE n.kind = 'temporary' AND coalesce(n.recorded, true) AND NOT n.said_final
  AND NOT n.died AND NOT n.retired AND NOT coalesce(n.transferred, false) AND NOT n.settled
