-- title: 修改留痕清单 / trail of changes
-- about: 一条修改记录 / one change record
-- columns: table = 数据表 / table; table_title = 表名 / table's title; key [key] = 主键 / key; source = 旧库表 / legacy table; column = 字段 / column;
--     column_title = 字段名 / column's title; before [value] = 原值 / before; after [value] = 现值 / after; rule = 规则 / rule; title = 问题内容 / what was wrong;
--     item [item] = 工作项 / work item; level = 级别 / level; basis = 依据 / basis; evidence = 凭证 / evidence; batch = 批次 / batch; handler = 经办 / handled by;
--     reviewer = 复核 / reviewed by; approver = 审批 / approved by; day = 数据日期 / day of the data
SELECT c."table", t.title AS table_title, c._key AS key, c._source AS source, c."column", n.title AS column_title, c.before, c.after, c.rule, r.title,
       c.item, c.level, c.basis, c.evidence, c.batch, c.handler, c.reviewer, c.approver, c.day
FROM changes AS c
LEFT JOIN national_tables AS t ON t."table" = c."table"
LEFT JOIN national_columns AS n ON n."table" = c."table" AND n."column" = c."column"
LEFT JOIN rules AS r ON r.rule = c.rule
ORDER BY c."table", c._key, c._source, c."column", c.item
