-- id: GAR-11
-- title: 清理终止的关系发生了退费、账户返还或结算 / money went out after a termination by cleaning
-- advice: 清理垃圾数据只终止关系，不得有资金变动；审计科逐笔核查并追回 /
--    cleaning only terminates, no money moves; audit looks at each payment and claims it back
-- severity: E
-- repair: A0
-- department: 审计
-- evidence: 审计事后检查
-- basis: reference 5.1 GAR-11; seed item 1
-- table: AC20
-- column: AAE160
-- effect: none
-- among: AAC031 = '3' AND AAE160 = '6499'
WITH
-- An assertion: what this work item terminated has reason 6499 and was never paid for. Reason 6499 on a spell with payments was the
-- city's own and may have been settled. The batch's number stands in the change record.
person AS (
    SELECT m.AAC001, m.AAE140, sum(m.paid) AS paid
    FROM person_unit_paid AS m
    GROUP BY m.AAC001, m.AAE140
),
out AS (
    SELECT o.AAC001, o.AAE140, min(o.what) AS what
    FROM (
        SELECT a.AAC001, e.AAE140, '账户支出' AS what FROM AC55 AS e JOIN AC50 AS a ON a.AAZ116 = e.AAZ116 WHERE e.AAE058 <> 0
        UNION ALL
        SELECT b.AAC001, b.AAE140, '待遇发放' FROM AC82 AS b WHERE b.AAE019 <> 0
    ) AS o
    GROUP BY o.AAC001, o.AAE140
)
SELECT c._key, CASE WHEN u.refunds > 0 THEN '退费' ELSE o.what END AS _evidence
FROM AC20 AS c
LEFT JOIN person_unit_paid AS u ON u.AAC001 = c.AAC001 AND u.AAB001 = c.AAB001 AND u.AAE140 = c.AAE140
LEFT JOIN person AS p ON p.AAC001 = c.AAC001 AND p.AAE140 = c.AAE140
LEFT JOIN out AS o ON o.AAC001 = c.AAC001 AND o.AAE140 = c.AAE140
WHERE c.AAC031 = '3' AND c.AAE160 = '6499'
  AND (coalesce(u.paid, 0) = 0 AND u.refunds > 0
    OR coalesce(p.paid, 0) = 0 AND o.what IS NOT NULL)
