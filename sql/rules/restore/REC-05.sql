-- id: REC-05
-- title: 批量清理终止 / ended by a mass clean-up
-- advice: 查当年清理的审批文件和备份，无依据的整批恢复为暂停并封存 / look for the approval of that clean-up and the backups; without a basis the whole batch is restored as paused and frozen
-- severity: E
-- repair: V
-- department: 信息
-- evidence: 当年清理审批文件；备份
-- basis: reference 5.2 REC-05
-- table: AC02
-- column: AAC008
-- touches: AAC008, AAE121
-- effect: change
-- among: AAC008 = '4' AND AAE140 IN ('110', '210')
-- params: limit = 100
SELECT r._key, '2' AS AAC008, '1' AS AAE121,
       CASE WHEN b.stroke IS NOT NULL THEN CAST(b.stroke AS VARCHAR) ELSE concat('清理 ', CAST(n.ended AS VARCHAR)) END AS _group,
       CASE WHEN b.stroke IS NOT NULL THEN concat('同一秒终止', CAST(b.spells AS VARCHAR), '条') ELSE '终止原因为清理' END AS _evidence
FROM AC02 AS r
JOIN ended_relation AS n ON n.relation_key = r._key
LEFT JOIN (
    SELECT date_trunc('second', t.YWT003) AS stroke, count(*) AS spells
    FROM W_TERMINATION AS t
    -- Midnight is a date without a time: no evidence of one stroke.
    WHERE date_trunc('second', t.YWT003) <> date_trunc('day', t.YWT003)
    GROUP BY date_trunc('second', t.YWT003)
    HAVING count(*) > $limit
) AS b ON b.stroke = date_trunc('second', n.written)
LEFT JOIN ref_termination_reasons AS w ON w.AAE160 = n.written_reason
WHERE (b.stroke IS NOT NULL OR w.kind = 'cleanup')
  AND NOT n.died AND NOT n.retired AND NOT coalesce(n.transferred, false) AND NOT n.settled
