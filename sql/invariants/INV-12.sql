-- id: INV-12
-- title: 合并后一个月不重复计算 / a month that two merged numbers paid does not count twice unseen
-- compares: 被合并的编号各自缴过的同一月份，与 MRG-05 列出的重复缴费 / months that several numbers of one person paid before the merge, and what MRG-05 lists as paid twice
-- about: merged_AC01
-- broken: blocks
WITH
member AS (
    SELECT DISTINCT d._key AS member, d.survivor FROM merged_AC01 AS d
    UNION
    SELECT s.survivor AS member, s.survivor FROM merged_AC01 AS s
),
-- Refunds of a unit and month: MRG-05 counts them off.
refund AS (
    SELECT DISTINCT m.survivor, d.AAE140, d.AAB001, d.AAE003
    FROM unmerged_AC43 AS d
    JOIN member AS m ON m.member = CAST(d.AAC001 AS VARCHAR)
    WHERE d.AAA115 = '20' AND d.AAE078 = '1' AND (d.AAE017 IS DISTINCT FROM '1')
),
paid AS (
    SELECT m.survivor, m.member, d._key, d.AAE140, d.AAE003,
           unnest(generate_series(CAST(0 AS BIGINT), CAST(coalesce(d.AAE201, 1) AS BIGINT) - 1)) AS nth
    FROM unmerged_AC43 AS d
    JOIN member AS m ON m.member = CAST(d.AAC001 AS VARCHAR)
    JOIN (SELECT DISTINCT u.AAB001 FROM cleaned_AB01 AS u) AS u ON u.AAB001 = d.AAB001
    LEFT JOIN refund AS r ON r.survivor = m.survivor AND r.AAE140 = d.AAE140 AND r.AAB001 = d.AAB001 AND r.AAE003 = d.AAE003
    WHERE r.survivor IS NULL AND d.AAA115 = '10' AND d.AAE078 = '1' AND (d.AAE017 IS DISTINCT FROM '1')
      AND coalesce(d.YAA115, '0') IN ('0', '1') AND d.AAE140 IN ('110', '210') AND d.AAE003 IS NOT NULL
),
month AS (
    SELECT p.survivor, p.member, p._key, p.AAE140, period_add(p.AAE003, CAST(p.nth AS INT)) AS month
    FROM paid AS p
),
twice AS (
    SELECT n.survivor, n.AAE140, n.month
    FROM month AS n
    GROUP BY n.survivor, n.AAE140, n.month
    HAVING min(n.member) <> max(n.member)
),
named AS (
    SELECT DISTINCT f._key FROM found AS f WHERE f.rule = 'MRG-05' AND f."table" = 'AC43'
)
SELECT t.survivor AS _key, t.AAE140, t.month, count(DISTINCT n._key) AS rows
FROM twice AS t
JOIN month AS n ON n.survivor = t.survivor AND n.AAE140 = t.AAE140 AND n.month = t.month
LEFT JOIN named AS l ON l._key = n._key
WHERE l._key IS NULL
GROUP BY t.survivor, t.AAE140, t.month
