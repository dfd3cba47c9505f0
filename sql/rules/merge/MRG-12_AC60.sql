-- id: MRG-12
-- title: 同一人重复领取养老待遇 / two pensions in payment to one person
-- advice: 养老部门先停发一份，核实后上报省局，追回多发部分 / the pension section stops one, verifies, reports to the province and recovers what was paid too much
-- severity: E
-- repair: P
-- department: 养老
-- evidence: 资格认证
-- basis: reference 5.7
-- table: AC60
-- column: AAE116
-- effect: none
-- among: AAE140 = '110' AND AAE116 = '1'
WITH
-- One person: one number, or numbers with the same sound ID and the same name.
paying AS (
    SELECT t._key, t.AAZ257, t.AAE140,
           CASE WHEN b.sound AND b.id IS NOT NULL AND b.name_key <> '' THEN concat(b.id, ' ', b.name_key)
                ELSE CAST(t.AAC001 AS VARCHAR) END AS who,
           t.AAC001
    FROM AC60 AS t
    LEFT JOIN person_by_id AS b ON b.AAC001 = t.AAC001
    WHERE t.AAE116 = '1' AND t.AAC001 IS NOT NULL
),
conflict AS (SELECT c.a, c.b FROM ref_benefit_conflicts AS c UNION SELECT c.b, c.a FROM ref_benefit_conflicts AS c),
doubled AS (
    SELECT p._key, min(least(p.AAC001, o.AAC001)) AS first_number, string_agg(DISTINCT o.AAE140, '、' ORDER BY o.AAE140) AS others
    FROM paying AS p
    JOIN paying AS o ON o.who = p.who
    JOIN conflict AS c ON c.a = p.AAE140 AND c.b = o.AAE140
    WHERE o.AAZ257 <> p.AAZ257 AND p.AAE140 IN ('110', '210')
    GROUP BY p._key
)
-- Other insurances are out of scope; their rows are seen, not found.
SELECT d._key, CAST(d.first_number AS VARCHAR) AS _group, concat('同时领取险种', d.others, '待遇') AS _evidence
FROM doubled AS d
