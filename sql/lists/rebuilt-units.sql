-- title: 重汇台账单位汇总 / ledgers made again, by unit
-- about: 一个单位一个险种已生效的重汇 / what was made again and is applied, of one unit and insurance
-- columns: unit [AB01.AAB999] = 单位编号 / unit number; unit_name [AB01.AAB004] = 单位名称 / unit's name; insurance = 险种 / insurance; rows = 台账数 / ledger rows;
--     added = 其中补建 / of these added; before = 重汇前应缴合计 / due before; after = 重汇后应缴合计 / due after; difference = 差额 / difference
WITH ledger_row AS (
    SELECT w._key, min(w.AAB001) AS AAB001, min(w.AAE140) AS AAE140, min(w.AAB156) AS AAB156
    FROM AB07 AS w
    GROUP BY w._key
),
unit AS (
    SELECT w.AAB001, min(w.AAB999) AS AAB999, min(w.AAB004) AS AAB004
    FROM AB01 AS w
    GROUP BY w.AAB001
),
touched AS (
    SELECT c._key, bool_or(c."column" = '*' AND c.before IS NULL) AS added,
           -- The sum before: that of the record, none of a row that was added, else as it is.
           min(CASE WHEN c."column" = 'AAB156' THEN CAST(c.before AS DECIMAL(16,2)) END) AS before,
           bool_or(c."column" = 'AAB156') AS changed
    FROM changes AS c
    WHERE c."table" = 'AB07' AND c.rule IN ('LED-01', 'MIS-04')
    GROUP BY c._key
),
summed AS (
    SELECT l.AAB001, l.AAE140, t.added,
           CASE WHEN t.added THEN CAST(0 AS DECIMAL(16,2)) WHEN t.changed THEN coalesce(t.before, CAST(0 AS DECIMAL(16,2))) ELSE l.AAB156 END AS before,
           l.AAB156 AS after
    FROM touched AS t
    JOIN ledger_row AS l ON l._key = t._key
)
SELECT u.AAB999 AS unit, u.AAB004 AS unit_name, s.AAE140 AS insurance, count(*) AS "rows", count(*) FILTER (WHERE s.added) AS added,
       sum(s.before) AS before, sum(s.after) AS after, sum(s.after) - sum(s.before) AS difference
FROM summed AS s
LEFT JOIN unit AS u ON u.AAB001 = s.AAB001
GROUP BY u.AAB999, u.AAB004, s.AAE140
ORDER BY u.AAB999, s.AAE140
