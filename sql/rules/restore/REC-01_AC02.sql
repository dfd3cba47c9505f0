-- id: REC-01
-- title: 终止无业务记录 / ended without a business record
-- advice: 查变更日志和清理前后备份，确认非业务经办终止的恢复为暂停并封存 / look at the change log and at the backups before and after; what no business ended is restored as paused and frozen
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 变更日志；清理前后备份
-- basis: reference 5.2 REC-01, 9.3; seed item 2
-- table: AC02
-- column: AAC008
-- touches: AAC008, AAE121
-- effect: change
-- among: AAC008 = '4' AND AAE140 IN ('110', '210')
SELECT r._key, '2' AS AAC008, '1' AS AAE121,
       concat('终止年月', CAST(n.ended AS VARCHAR), '前后一个月内无变更记录') AS _evidence
FROM AC02 AS r
JOIN ended_relation AS n ON n.relation_key = r._key
-- Death, retirement, transfer and settlement are records of their own.
WHERE n.recorded = false AND NOT n.died AND NOT n.retired AND NOT coalesce(n.transferred, false) AND NOT n.settled
