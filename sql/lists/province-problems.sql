-- title: 省局问题清单回复 / the province's problem list, answered
-- about: 省局下发问题清单的一条：匹配到的人员或单位及整改状态 / a line of the province's problem list: who it is about here, and its state
-- columns: problem = 问题编号 / problem; province_rule = 省局规则编号 / the province's rule; what [text] = 问题描述 / what the province says; state [problem] = 状态 / state;
--     matched [matched] = 匹配依据 / matched by; table = 数据表 / table; key [key] = 主键 / key; person [AC01.AAC999] = 个人编号 / person number; id [AC01.AAC147] = 证件号码 / ID;
--     name [AC01.AAC003] = 姓名 / name; unit [AB01.AAB999] = 单位编号 / unit number; unit_name [AB01.AAB004] = 单位名称 / unit's name; rule = 本市规则编号 / our rule;
--     first = 首次发现轮次 / first round; decision [decision] = 处理意见 / decision; evidence = 凭证编号 / evidence; approver = 审批 / approved by
WITH finding AS (
    SELECT l.rule, l."table", l._key, min(l.state) AS state, min(l."first") AS "first"
    FROM ledger AS l
    WHERE l.rule LIKE 'PRV-%'
    GROUP BY l.rule, l."table", l._key
),
decided AS (
    SELECT d.rule, d."table", d._key, max(d.batch) AS batch
    FROM decisions AS d
    GROUP BY d.rule, d."table", d._key
),
last AS (
    SELECT d.rule, d."table", d._key, min(d.kind) AS kind, min(d.evidence) AS evidence, min(d.approver) AS approver
    FROM decisions AS d
    JOIN decided AS x ON x.rule = d.rule AND x."table" = d."table" AND x._key = d._key AND x.batch = d.batch
    GROUP BY d.rule, d."table", d._key
),
person AS (
    SELECT p._key, min(p.AAC999) AS AAC999, min(p.AAC147) AS AAC147, min(p.AAC003) AS AAC003
    FROM AC01 AS p
    GROUP BY p._key
),
unit AS (
    SELECT u._key, min(u.AAB999) AS AAB999, min(u.AAB004) AS AAB004
    FROM AB01 AS u
    GROUP BY u._key
)
SELECT m.problem, m.rule AS province_rule, m.what,
       -- What was matched and never found was right before it was looked for.
       CASE WHEN m.candidates = 0 THEN 'unmatched' WHEN m.candidates > 1 THEN 'ambiguous' WHEN f.state IS NULL THEN 'right'
            WHEN f.state IN ('fixed', 'waived') THEN f.state ELSE 'open' END AS state,
       m.matched, m."table", m._key AS key, p.AAC999 AS person, p.AAC147 AS id, p.AAC003 AS name, u.AAB999 AS unit, u.AAB004 AS unit_name,
       CASE WHEN m.candidates = 1 THEN m.finds END AS rule, f."first", d.kind AS decision, d.evidence, d.approver
FROM province_match AS m
LEFT JOIN finding AS f ON f.rule = m.finds AND f."table" = m."table" AND f._key = m._key
-- A decision about what is open again was about another value, or another problem.
LEFT JOIN last AS d ON f.state IN ('fixed', 'waived') AND d.rule = m.finds AND d."table" = m."table" AND d._key = m._key
LEFT JOIN person AS p ON m."table" = 'AC01' AND p._key = m._key
LEFT JOIN unit AS u ON m."table" = 'AB01' AND u._key = m._key
ORDER BY m.problem, m.line
