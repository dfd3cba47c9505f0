-- title: 整改台账 / rectification ledger
-- about: 一轮首次发现的一条规则的问题 / the findings of a rule that one round had first
-- columns: department [department] = 责任科室 / department; rule = 规则 / rule; title = 问题内容 / what is wrong; first = 首次发现轮次 / first round;
--     found = 发现 / found; fixed = 已整改 / fixed; waived = 情况属实 / it is so; remaining = 未整改 / remaining; reopened = 其中前清后错 / of these reopened
SELECT l.department, l.rule, r.title, l."first",
       count(*) AS found,
       count(*) FILTER (WHERE l.state = 'fixed') AS fixed,
       count(*) FILTER (WHERE l.state = 'waived') AS waived,
       count(*) FILTER (WHERE l.state IN ('new', 'open', 'reopened')) AS remaining,
       count(*) FILTER (WHERE l.state = 'reopened') AS reopened
FROM ledger AS l
LEFT JOIN rules AS r ON r.rule = l.rule
GROUP BY l.department, l.rule, r.title, l."first"
ORDER BY l.department, l.rule, l."first"
