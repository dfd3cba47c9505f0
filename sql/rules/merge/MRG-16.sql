-- id: MRG-16
-- title: 合并后缴费工资申报重复 / wage declarations that become duplicates when their persons or units are merged
-- advice: 工资和基数相同的批量并入保留编号的申报；不同的核实申报表 / where wage and base agree, merge into the surviving number's declaration in a batch; where
--     they differ, compare with the declaration form
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 缴费工资申报表
-- basis: reference 5.7, T09
-- table: AC04
-- column: AAC001
-- effect: merge
-- among: AAE140 IN ('110', '210')
WITH
-- A declaration of a number that has been merged is its survivor's.
owned AS (
    SELECT d._key, coalesce(g.survivor, d.AAC001) AS AAC001, coalesce(h.survivor, d.AAB001) AS AAB001, d.AAE140, d.AAE041,
           d.AAE042, d.AAC040, d.AAE180, CASE WHEN g.survivor IS NOT NULL OR h.survivor IS NOT NULL THEN 1 ELSE 0 END AS moved
    FROM AC04 AS d
    LEFT JOIN survivor_AC01 AS g ON g.AAC001 = d.AAC001
    LEFT JOIN survivor_AB01 AS h ON h.AAB001 = d.AAB001
    WHERE d.AAE140 IN ('110', '210') AND d.AAC001 IS NOT NULL AND d.AAB001 IS NOT NULL AND d.AAE041 IS NOT NULL
),
placed AS (
    SELECT o._key, o.moved, o.AAC040, o.AAE180, o.AAE042,
           first_value(o._key) OVER w AS kept,
           first_value(o.AAC040) OVER w AS wage,
           first_value(o.AAE180) OVER w AS base,
           first_value(o.AAE042) OVER w AS ends
    FROM owned AS o
    WINDOW w AS (PARTITION BY o.AAC001, o.AAB001, o.AAE140, o.AAE041 ORDER BY o.moved, o._key)
)
-- What was twice before the merge is STR-05.
SELECT p._key, min(p.kept) AS _after_key, min(p.kept) AS _group,
       min(CASE WHEN (p.AAC040 IS NOT DISTINCT FROM p.wage) AND (p.AAE180 IS NOT DISTINCT FROM p.base) AND (p.AAE042 IS NOT DISTINCT FROM p.ends)
            THEN 'A1' END) AS _repair,
       min(concat('工资', coalesce(CAST(p.AAC040 AS VARCHAR), '空'), '，保留编号申报', coalesce(CAST(p.wage AS VARCHAR), '空'))) AS _evidence
FROM placed AS p
WHERE p.moved = 1 AND p._key <> p.kept
GROUP BY p._key
