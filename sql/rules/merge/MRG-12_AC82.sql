-- id: MRG-12
-- title: 同一人重复领取养老待遇 / two pensions in payment to one person
-- advice: 养老部门先停发一份，核实后上报省局，追回多发部分 / the pension section stops one, verifies, reports to the province and recovers what was paid too much
-- severity: E
-- repair: P
-- department: 养老
-- evidence: 资格认证
-- basis: reference 5.7
-- table: AC82
-- column: AAE002
-- effect: none
-- among: AAE140 = '110'
WITH
-- Two payments of one insurance under one number may be the month and its supplement; under two numbers of one person, or of two
-- insurances that exclude each other, they are two pensions.
who AS (
    SELECT b.AAC001,
           CASE WHEN b.sound AND b.id IS NOT NULL AND b.name_key <> '' THEN concat(b.id, ' ', b.name_key) ELSE CAST(b.AAC001 AS VARCHAR) END AS who
    FROM person_by_id AS b
),
conflict AS (SELECT c.a, c.b FROM ref_benefit_conflicts AS c UNION SELECT c.b, c.a FROM ref_benefit_conflicts AS c),
insurance AS (SELECT DISTINCT c.a AS AAE140 FROM conflict AS c),
paid AS (
    SELECT DISTINCT w.who, d.AAC001, d.AAE140, d.AAE002
    FROM AC82 AS d
    JOIN insurance AS i ON i.AAE140 = d.AAE140
    JOIN who AS w ON w.AAC001 = d.AAC001
    WHERE coalesce(d.AAE117, '') NOT IN ('31', '41') AND d.AAE019 > 0
),
-- Most people have one number and one insurance: they drop out before months are compared.
several AS (
    SELECT x.who
    FROM (SELECT DISTINCT p.who, p.AAC001, p.AAE140 FROM paid AS p) AS x
    GROUP BY x.who
    HAVING count(*) > 1
),
suspect AS (
    SELECT p.who, p.AAC001, p.AAE140, p.AAE002
    FROM paid AS p
    JOIN several AS s ON s.who = p.who
),
doubled AS (
    SELECT p.AAC001, p.AAE140, p.AAE002, min(least(p.AAC001, o.AAC001)) AS first_number,
           string_agg(DISTINCT o.AAE140, '、' ORDER BY o.AAE140) AS others
    FROM suspect AS p
    JOIN suspect AS o ON o.who = p.who AND o.AAE002 = p.AAE002
    JOIN conflict AS c ON c.a = p.AAE140 AND c.b = o.AAE140
    WHERE o.AAC001 <> p.AAC001 OR o.AAE140 <> p.AAE140
    GROUP BY p.AAC001, p.AAE140, p.AAE002
)
SELECT d._key, min(CAST(x.first_number AS VARCHAR)) AS _group,
       min(concat(CAST(d.AAE002 AS VARCHAR), '同时领取险种', x.others, '待遇')) AS _evidence
FROM AC82 AS d
JOIN doubled AS x ON x.AAC001 = d.AAC001 AND x.AAE140 = d.AAE140 AND x.AAE002 = d.AAE002
WHERE d.AAE140 IN ('110', '210') AND coalesce(d.AAE117, '') NOT IN ('31', '41') AND d.AAE019 > 0
GROUP BY d._key
