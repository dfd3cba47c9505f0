-- id: REC-09
-- title: 以转出终止但无转出记录 / ended as transferred, but no outgoing transfer is recorded
-- advice: 查转移系统和财务：未办转移的恢复为暂停并封存，转入地有记录的上报省局 / look into the transfer system and the books; without a transfer the relation is restored as paused and frozen, else the province is told
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 转移系统；财务
-- basis: reference 5.2 REC-09
-- table: AC02
-- column: AAC008
-- touches: AAC008, AAE121
-- effect: change
-- among: AAC008 = '4' AND AAE140 IN ('110', '210')
SELECT r._key, '2' AS AAC008, '1' AS AAE121,
       '终止原因为转出，无转出联系函或资金转移' AS _evidence
FROM AC02 AS r
JOIN ended_relation AS n ON n.relation_key = r._key
WHERE (n.kind = 'transfer' OR n.said_transfer) AND n.transferred = false AND NOT n.died AND NOT n.retired AND NOT n.settled
