-- id: INV-07
-- title: 每个改动的字段都有修改记录 / every field that differs has a change record
-- compares: 各事项前后逐格比较的不同字段数与修改记录数，分表；新增、合并的行各有一条记录 / by work item and table: fields that differ cell by cell, and change records; an added or merged row has one record of its own
-- about: cells, changes
-- broken: blocks
SELECT coalesce(d.item, c.item) AS item, coalesce(d."table", c."table") AS "table", coalesce(c.records, 0) AS before, coalesce(d.fields, 0) AS after
FROM (
    SELECT x.item, x."table", sum(x.fields) AS fields FROM cells AS x GROUP BY x.item, x."table"
) AS d
FULL JOIN (
    SELECT r.item, r."table", count(*) AS records FROM changes AS r GROUP BY r.item, r."table"
) AS c ON c.item = d.item AND c."table" = d."table"
WHERE coalesce(d.fields, 0) <> coalesce(c.records, 0)
