-- id: REC-11
-- title: 已退保或一次性结算的关系不得恢复 / settled by a pay-out: must not be restored
-- advice: 保持终止；已误恢复的撤销恢复并报审计 / it stays ended; what was restored by mistake is undone and reported to audit
-- severity: E
-- repair: N
-- department: 经办
-- evidence: 账户支付记录
-- basis: reference 5.2 REC-11
-- table: AC20
-- column: AAC031
-- effect: none
-- among: AAE140 = '110' AND (AAC031 = '3' OR AAE121 = '1')
WITH
settled AS (
    SELECT a.AAC001
    FROM AC50 AS a
    JOIN AC55 AS e ON e.AAZ116 = a.AAZ116
    WHERE e.AAE058 > 0
    GROUP BY a.AAC001
    HAVING sum(coalesce(a.AAE240, 0)) <= 0
),
found AS (
    -- Ended in a way that REC-01, 02 or 04 would undo, but for the pay-out.
    SELECT n.spell_key, '已有账户支付，不予恢复' AS why
    FROM ended_relation AS n
    LEFT JOIN paid_after_end AS a ON a.AAZ159 = n.AAZ159
    WHERE n.settled AND NOT n.died AND NOT n.retired AND NOT coalesce(n.transferred, false)
      AND (n.recorded = false OR n.kind = 'temporary' AND NOT n.said_final OR a.months > 0)
    UNION ALL
    -- Restored all the same: the account was paid out to the end.
    SELECT c._key, '已结清却被恢复并封存'
    FROM AC20 AS c
    JOIN settled AS s ON s.AAC001 = c.AAC001
    WHERE c.AAE140 = '110' AND c.AAC031 IN ('1', '2') AND c.AAE121 = '1'
)
SELECT c._key, min(f.why) AS _evidence
FROM AC20 AS c
JOIN found AS f ON f.spell_key = c._key
GROUP BY c._key
