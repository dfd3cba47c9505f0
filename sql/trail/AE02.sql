-- table: AE02
-- title: 业务日志：每事项、规则、批次对一张表的改动一条 / the log: one row for what a rule and batch changed in a table, by work item
-- basis: reference 1 (T24), 9.6
-- rows: SELECT count(*) FROM (SELECT DISTINCT item, rule, "table", batch FROM changes)
SELECT DISTINCT row_hash('AE02', c.item, c.rule, c."table", c.batch) AS AAZ002,
       c."table" AS AAE157,
       concat(c.rule, coalesce(concat(' ', c.batch), '')) AS AAE013
FROM changes AS c
