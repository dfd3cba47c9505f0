-- table: AC30A1
-- title: 人员信息变更明细：每条修改记录一条 / personal details: one row a change record
-- basis: reference 1 (T24), 9.6
-- rows: SELECT count(*) FROM changes AS c WHERE c."table" IN (SELECT "table" FROM national_columns WHERE "column" = 'AAC001')
SELECT row_hash('AC30A1', c.item, c."table", c._key, c._source, c._skey, c."column") AS AAZ205,
    -- Tables with a person's id (AAC001) are persons'. Of an added row (*) the new key is told, the row itself is in its table.
       row_hash('event', c.item, c.rule, c."table", c._key, c._source, c._skey) AS AAZ206,
       row_hash('AE02', c.item, c.rule, c."table", c.batch) AS AAZ002,
       c."table" AS AAE157,
       c."column" AS AAE122,
       coalesce(t.title, c."column") AS AAE155,
       c.before AS AAE123,
       CASE WHEN c."column" = '*' AND c.before IS NULL THEN c._key ELSE c.after END AS AAE124,
       c."table" AS AAA801,
       c."column" AS AAA811,
       c.before AS AAA812,
       CASE WHEN c."column" = '*' AND c.before IS NULL THEN c._key ELSE c.after END AS AAA813,
       c.approver AS AAE011,
       CAST(c.day AS TIMESTAMP) AS AAE036,
       concat(c.rule, coalesce(concat(' ', c.batch), '')) AS AAE013
FROM changes AS c
LEFT JOIN national_columns AS t ON t."table" = c."table" AND t."column" = c."column"
WHERE c."table" IN (SELECT "table" FROM national_columns WHERE "column" = 'AAC001')
