-- title: 审计抽查表 / sample for the audit
-- about: 随机抽取的一条记录：有修改的记录和无修改的个人各抽 $rows 条，同一 seed 抽取结果相同 / a row drawn by chance: $rows of the changed rows, $rows persons without a change; the same seed draws the same
-- columns: drawn [list] = 类别 / drawn from; no = 序号 / no.; table = 数据表 / table; table_title = 表名 / table's title; key [key] = 主键 / key;
--     number [AC01.AAC999] = 个人编号 / person number; name [AC01.AAC003] = 姓名 / name; fields = 修改字段数 / changed fields; rules = 规则及批次 / rules and batches;
--     result = 抽查结果 / result; checked_by = 抽查人 / checked by; checked_on = 日期 / day
-- params: seed = 1, rows = 50
WITH changed AS (
    SELECT c."table", c._key, sum(c.fields) AS fields, string_agg(c.said, '、' ORDER BY c.said) AS rules
    FROM (
        -- The approval of a change stands behind its rule.
        SELECT d."table", d._key, concat(d.rule, coalesce(concat(' ', d.batch), '')) AS said, count(*) AS fields
        FROM changes AS d
        GROUP BY d."table", d._key, concat(d.rule, coalesce(concat(' ', d.batch), ''))
    ) AS c
    GROUP BY c."table", c._key
),
drawn AS (
    SELECT 'changed' AS drawn, row_number() OVER (ORDER BY row_hash($seed, c."table", c._key), c."table", c._key) AS no, c."table", c._key,
           p.AAC999, p.AAC003, c.fields, c.rules
    FROM changed AS c
    LEFT JOIN AC01 AS p ON c."table" = 'AC01' AND p._key = c._key
    UNION ALL
    SELECT 'unchanged', row_number() OVER (ORDER BY row_hash($seed, 'AC01', p._key), p._key), 'AC01', p._key, p.AAC999, p.AAC003, 0, NULL
    FROM AC01 AS p
    WHERE NOT EXISTS (SELECT 1 FROM changed AS c WHERE c."table" = 'AC01' AND c._key = p._key)
)
SELECT d.drawn, d.no, d."table", t.title AS table_title, d._key AS key, d.AAC999 AS number, d.AAC003 AS name, d.fields, d.rules,
       CAST(NULL AS VARCHAR) AS result, CAST(NULL AS VARCHAR) AS checked_by, CAST(NULL AS VARCHAR) AS checked_on
FROM drawn AS d
LEFT JOIN national_tables AS t ON t."table" = d."table"
WHERE d.no <= $rows
ORDER BY d.drawn, d.no
