-- id: MRG-01
-- title: 同一证件号码、同一姓名有多个个人编号 / several numbers of one person: same ID, same name
-- advice: 按保留规则合并到一个编号；有重叠缴费、欠费、待遇或性别出生不一致的逐人核实 / merge into the surviving number; overlapping months, arrears, benefits or other sex or birth are verified one by one
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 公安、合并表
-- basis: reference 5.7
-- table: AC01
-- column: AAC001
-- effect: merge
-- among: AAC147 IS NOT NULL
WITH
-- Numbers of the two systems are MRG-06's; here both are of one side.
member AS (
    SELECT s.AAC001, s.person_key, s.sound, s.name_nth, s.name_survivor, s.owes, s.has_benefit,
           coalesce(min(s.sex) OVER (PARTITION BY s.name_survivor) = max(s.sex) OVER (PARTITION BY s.name_survivor), true) AS one_sex,
           coalesce(min(s.birth) OVER (PARTITION BY s.name_survivor) = max(s.birth) OVER (PARTITION BY s.name_survivor), true) AS one_birth,
           -- Death recorded under one number and not under another needs a clerk.
           count(p.died) OVER (PARTITION BY s.name_survivor) IN (0, s.name_numbers) AS one_life,
           max(CASE WHEN c.AAC001 IS NOT NULL THEN 1 ELSE 0 END) OVER (PARTITION BY s.name_survivor) AS changed
    FROM person_same_id AS s
    LEFT JOIN person_state AS p ON p.AAC001 = s.AAC001
    LEFT JOIN person_double_change AS c ON c.AAC001 = s.AAC001
    WHERE s.name_numbers > 1
),
-- Months paid under each number. Few people are asked here, so a row over several months may become as many rows.
paid AS (
    SELECT DISTINCT x.name_survivor, x.AAC001, x.AAE140, period_add(x.AAE003, CAST(x.nth AS INT)) AS month
    FROM (
        SELECT m.name_survivor, d.AAC001, d.AAE140, d.AAE003,
               unnest(generate_series(CAST(0 AS BIGINT), CAST(coalesce(d.AAE201, 1) AS BIGINT) - 1)) AS nth
        FROM AC43 AS d
        JOIN member AS m ON m.AAC001 = d.AAC001
        WHERE d.AAE078 = '1' AND (d.AAE017 IS DISTINCT FROM '1') AND (d.YAA115 IS DISTINCT FROM '2')
          AND d.AAA115 IN ('10', '31', '32', '33', '90')
    ) AS x
),
twice AS (
    SELECT y.AAC001, count(*) AS months
    FROM (
        SELECT p.AAC001, count(*) OVER (PARTITION BY p.name_survivor, p.AAE140, p.month) AS people
        FROM paid AS p
    ) AS y
    WHERE y.people > 1
    GROUP BY y.AAC001
)
SELECT m.person_key AS _key, m.name_survivor AS _after_key, m.name_survivor AS _group,
       CASE WHEN m.sound AND t.months IS NULL AND NOT m.owes AND NOT m.has_benefit
             AND m.one_sex AND m.one_birth AND m.one_life AND m.changed = 0
            THEN 'A1' END AS _repair,
       nullif(concat_ws('；',
           CASE WHEN NOT m.sound THEN '证件号码校验位不符' END,
           CASE WHEN t.months > 0 THEN concat('重叠缴费', CAST(t.months AS VARCHAR), '个月') END,
           CASE WHEN m.owes THEN '有欠费' END,
           CASE WHEN m.has_benefit THEN '有待遇' END,
           CASE WHEN NOT m.one_sex THEN '性别不一致' END,
           CASE WHEN NOT m.one_birth THEN '出生日期不一致' END,
           CASE WHEN NOT m.one_life THEN '死亡登记不一致' END,
           CASE WHEN m.changed = 1 THEN '姓名、证件号码均变更过' END), '') AS _evidence
FROM member AS m
LEFT JOIN twice AS t ON t.AAC001 = m.AAC001
WHERE m.name_nth > 1
