-- id: MRG-14
-- title: 编号对应表不完整或有环 / the map of numbers is incomplete or runs in a circle
-- advice: 检查对应关系：每个并出编号只对应一个保留编号，保留编号必须存在 / check the links: each merged number leads to one surviving number, and that number exists
-- severity: I
-- repair: A0
-- department: 信息
-- basis: reference 5.7
-- table: W_NUMBER_LINK
-- column: YWL001
-- effect: none
-- among: YWL001 IS NOT NULL
WITH
donor AS (
    SELECT l.YWL002 AS number, count(DISTINCT l.YWL001) AS survivors
    FROM W_NUMBER_LINK AS l
    WHERE l.YWL001 IS NOT NULL
    GROUP BY l.YWL002
),
known AS (SELECT DISTINCT p.AAC999 AS number FROM AC01 AS p WHERE p.AAC999 IS NOT NULL),
-- Rows of one number, one after another: a key that comes twice is told once.
link AS (
    SELECT l._key, l.YWL001, l.YWL002, row_number() OVER (PARTITION BY l._key ORDER BY l.YWL001) AS nth
    FROM W_NUMBER_LINK AS l
    WHERE l.YWL001 IS NOT NULL
),
judged AS (
    SELECT l._key,
           concat_ws('；',
               CASE WHEN k.number IS NULL THEN '保留编号不存在' END,
               CASE WHEN d.survivors > 1 THEN '对应多个保留编号' END,
               CASE WHEN l.YWL001 <> l.YWL002 AND c.number IS NOT NULL THEN '保留编号本身已并出' END) AS fault
    FROM link AS l
    JOIN donor AS d ON d.number = l.YWL002
    LEFT JOIN known AS k ON k.number = l.YWL001
    LEFT JOIN donor AS c ON c.number = l.YWL001
    WHERE l.nth = 1
)
SELECT j._key, j.fault AS _evidence
FROM judged AS j
WHERE j.fault <> ''
