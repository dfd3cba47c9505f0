-- title: 恢复补建清单 / rows restored and added
-- about: 一条补建或自备份恢复的记录 / one row that a rule added, or restored from a backup
-- columns: table = 数据表 / table; table_title = 表名 / table's title; key [key] = 主键 / key; rule = 规则 / rule; title = 问题内容 / what was missing;
--     evidence = 凭证及来源文件 / evidence and source file; batch = 批次 / batch; handler = 经办 / handled by; reviewer = 复核 / reviewed by; approver = 审批 / approved by
SELECT c."table", t.title AS table_title, c._key AS key, c.rule, r.title, c.evidence, c.batch, c.handler, c.reviewer, c.approver
FROM changes AS c
LEFT JOIN national_tables AS t ON t."table" = c."table"
LEFT JOIN rules AS r ON r.rule = c.rule
WHERE c."column" = '*' AND c.before IS NULL
ORDER BY c."table", c.rule, c._key
