-- title: 重汇台账清单 / ledger rows made again
-- about: 一条据明细重汇的单位台账：已生效的和待审批、待核实的 / one row of the unit ledger made again from its details: applied, or waiting for approval or a clerk
-- columns: state [outcome] = 状态 / state; unit [AB01.AAB999] = 单位编号 / unit number; unit_name [AB01.AAB004] = 单位名称 / unit's name; insurance = 险种 / insurance;
--     settled = 结算期 / settled in; period = 费款所属期 / period; rule = 规则 / rule; column = 字段 / column; column_title = 字段名 / column's title; table = 数据表 / table;
--     key [key] = 台账主键 / ledger key; before [value] = 重汇前 / before; after [value] = 重汇后 / after; batch = 批次 / batch; approver = 审批 / approved by
WITH ledger_row AS (
    SELECT w._key, min(w.AAB001) AS AAB001, min(w.AAE140) AS AAE140, min(w.AAE002) AS AAE002, min(w.AAE003) AS AAE003, min(w.AAB156) AS AAB156
    FROM AB07 AS w
    GROUP BY w._key
),
unit AS (
    SELECT w.AAB001, min(w.AAB999) AS AAB999, min(w.AAB004) AS AAB004
    FROM AB01 AS w
    GROUP BY w.AAB001
),
rebuilt AS (
    -- Of a row that was added the sum is shown.
    SELECT 'repaired' AS state, c.rule, CASE WHEN c."column" = '*' THEN 'AAB156' ELSE c."column" END AS "column", c._key, c.before,
           CASE WHEN c."column" = '*' AND c.before IS NULL THEN CAST(l.AAB156 AS VARCHAR) ELSE c.after END AS after, c.batch, c.approver,
           l.AAB001, l.AAE140, l.AAE002, l.AAE003
    FROM changes AS c
    LEFT JOIN ledger_row AS l ON l._key = c._key
    WHERE c."table" = 'AB07' AND c.rule IN ('LED-01', 'MIS-04', 'MRG-10') AND (c."column" <> '*' OR c.before IS NULL)
    UNION ALL
    SELECT f.outcome, f.rule, f."column", f._key, f.before, f."after", NULL, NULL, l.AAB001, l.AAE140, l.AAE002, l.AAE003
    FROM found AS f
    LEFT JOIN ledger_row AS l ON l._key = f._key
    WHERE f."table" = 'AB07' AND f.rule = 'LED-01' AND f.outcome <> 'repaired' AND f."after" IS NOT NULL
    UNION ALL
    -- A row that is proposed is told by what it will hold.
    SELECT f.outcome, f.rule, 'AAB156', json_text(f."after", '$.YAE518'), NULL, json_text(f."after", '$.AAB156'), NULL, NULL,
           CAST(json_text(f."after", '$.AAB001') AS BIGINT), json_text(f."after", '$.AAE140'), CAST(json_text(f."after", '$.AAE002') AS INT),
           CAST(json_text(f."after", '$.AAE003') AS INT)
    FROM found AS f
    WHERE f.rule = 'MIS-04' AND f.outcome <> 'repaired' AND f."after" IS NOT NULL
)
SELECT r.state, u.AAB999 AS unit, u.AAB004 AS unit_name, r.AAE140 AS insurance, r.AAE002 AS settled, r.AAE003 AS period, r.rule, r."column",
       n.title AS column_title, 'AB07' AS "table", r._key AS key, r.before, r.after, r.batch, r.approver
FROM rebuilt AS r
LEFT JOIN unit AS u ON u.AAB001 = r.AAB001
LEFT JOIN national_columns AS n ON n."table" = 'AB07' AND n."column" = r."column"
ORDER BY r.state, u.AAB999, r.AAE140, r.AAE003, r._key, r."column"
