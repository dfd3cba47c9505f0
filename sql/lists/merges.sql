-- title: 合并清单 / what was merged
-- about: 一条被合并的记录及其保留编号 / one row that was merged, and the one that stays
-- columns: table = 数据表 / table; table_title = 表名 / table's title; donor [key] = 被合并主键 / merged key; survivor [key] = 保留主键 / surviving key;
--     person [AC01.AAC999] = 被合并个人编号 / merged person number; person_stays [AC01.AAC999] = 保留个人编号 / surviving person number; name [AC01.AAC003] = 姓名 / name;
--     unit [AB01.AAB999] = 被合并单位编号 / merged unit number; unit_stays [AB01.AAB999] = 保留单位编号 / surviving unit number; unit_name [AB01.AAB004] = 单位名称 / unit's name;
--     rule = 规则 / rule; evidence = 凭证 / evidence; batch = 批次 / batch; approver = 审批 / approved by
WITH merged AS (
    SELECT 'AB01' AS "table", m._key, m.survivor, m.rule, m.evidence, m.batch, m.approver FROM merged_AB01 AS m
    UNION ALL
    SELECT 'AC01', m._key, m.survivor, m.rule, m.evidence, m.batch, m.approver FROM merged_AC01 AS m
    UNION ALL
    SELECT 'AC02', m._key, m.survivor, m.rule, m.evidence, m.batch, m.approver FROM merged_AC02 AS m
    UNION ALL
    SELECT 'AC50', m._key, m.survivor, m.rule, m.evidence, m.batch, m.approver FROM merged_AC50 AS m
    UNION ALL
    SELECT 'AB07', m._key, m.survivor, m.rule, m.evidence, m.batch, m.approver FROM merged_AB07 AS m
),
person AS (
    SELECT w._key, min(w.AAC999) AS AAC999, min(w.AAC003) AS AAC003
    FROM AC01 AS w
    GROUP BY w._key
),
unit AS (
    SELECT w._key, min(w.AAB999) AS AAB999, min(w.AAB004) AS AAB004
    FROM AB01 AS w
    GROUP BY w._key
)
SELECT m."table", t.title AS table_title, m._key AS donor, m.survivor, p.AAC999 AS person, q.AAC999 AS person_stays, p.AAC003 AS name,
       u.AAB999 AS unit, v.AAB999 AS unit_stays, u.AAB004 AS unit_name, m.rule, m.evidence, m.batch, m.approver
FROM merged AS m
LEFT JOIN national_tables AS t ON t."table" = m."table"
LEFT JOIN person AS p ON m."table" = 'AC01' AND p._key = m._key
LEFT JOIN person AS q ON m."table" = 'AC01' AND q._key = m.survivor
LEFT JOIN unit AS u ON m."table" = 'AB01' AND u._key = m._key
LEFT JOIN unit AS v ON m."table" = 'AB01' AND v._key = m.survivor
ORDER BY m."table", m.survivor, m._key
