-- id: MRG-04
-- title: 证件号码不同，疑为同一人 / different IDs, perhaps one person
-- advice: 候选名单，分值只排序；核对公安信息和身份证后，确认同一人的合并，否则保留 / a list of candidates, the score only orders it; merge who is one person by the police record and the ID card, keep the others
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 公安
-- basis: reference 5.7
-- table: AC01
-- column: AAC147
-- effect: merge
-- among: AAC003 IS NOT NULL AND AAC006 IS NOT NULL
-- params: block = 20, distance = 1
WITH
-- Only the same birth and the same name (or, in one unit, the same sound) are compared, and no block larger than $block: a birth date or
-- a name that so many share says nothing about a person.
person AS (
    SELECT b.AAC001, b.person_key, b.id, b.name,
           -- A placeholder is nobody's number and near to nobody's.
           CASE WHEN h.AAC001 IS NULL THEN b.id_text END AS id_text, b.name_key, name_sound(b.name_key) AS sound, b.sex, b.birth, r.place,
           count(*) OVER (PARTITION BY b.name_key, b.birth) AS namesakes
    FROM person_by_id AS b
    JOIN person_rank AS r ON r.AAC001 = b.AAC001
    LEFT JOIN person_same_id AS d ON d.AAC001 = b.AAC001
    LEFT JOIN placeholder_id AS h ON h.AAC001 = b.AAC001
    LEFT JOIN fake_person AS g ON g.AAC001 = b.AAC001
    -- Made-up persons are garbage (GAR-03), not somebody's second number. Numbers that another rule merges by their ID are represented by the
    -- one that survives.
    WHERE b.name_key <> '' AND b.birth IS NOT NULL AND b.home = b.AAC001 AND g.AAC001 IS NULL
      AND (d.AAC001 IS NULL OR (d.name_nth = 1 AND d.person_key = d.cluster_survivor))
),
employed AS (
    SELECT DISTINCT s.AAC001, s.AAB001
    FROM AC20 AS s
    WHERE s.AAC001 IS NOT NULL AND s.AAB001 IS NOT NULL
),
colleague AS (
    SELECT p.AAC001, p.sound, p.birth, e.AAB001,
           count(*) OVER (PARTITION BY p.sound, p.birth, e.AAB001) AS namesakes
    FROM person AS p
    JOIN employed AS e ON e.AAC001 = p.AAC001
),
pair AS (
    SELECT a.AAC001 AS one, b.AAC001 AS other
    FROM person AS a
    JOIN person AS b ON b.name_key = a.name_key AND b.birth = a.birth
    WHERE a.namesakes BETWEEN 2 AND $block AND b.AAC001 > a.AAC001
    UNION
    SELECT a.AAC001, b.AAC001
    FROM colleague AS a
    JOIN colleague AS b ON b.sound = a.sound AND b.birth = a.birth AND b.AAB001 = a.AAB001
    WHERE a.namesakes BETWEEN 2 AND $block AND b.AAC001 > a.AAC001
),
together AS (
    SELECT DISTINCT q.one, q.other
    FROM pair AS q
    JOIN employed AS e ON e.AAC001 = q.one
    JOIN employed AS f ON f.AAC001 = q.other AND f.AAB001 = e.AAB001
),
compared AS (
    SELECT CASE WHEN a.place > b.place THEN a.person_key ELSE b.person_key END AS donor,
           CASE WHEN a.place > b.place THEN b.person_key ELSE a.person_key END AS survivor,
           least(a.place, b.place) AS place,
           a.name = b.name AS one_name, a.name_key = b.name_key AS one_key, a.sex = b.sex AS one_sex, t.one IS NOT NULL AS one_unit,
           CASE WHEN a.id_text <> '' AND b.id_text <> '' THEN id_apart(a.id_text, b.id_text) END AS apart
    FROM pair AS q
    JOIN person AS a ON a.AAC001 = q.one
    JOIN person AS b ON b.AAC001 = q.other
    LEFT JOIN together AS t ON t.one = q.one AND t.other = q.other
    -- The same ID is MRG-01, MRG-02, MRG-03 and MRG-06.
    WHERE a.id IS NULL OR b.id IS NULL OR a.id <> b.id
),
candidate AS (
    SELECT c.donor, c.survivor, c.place, c.apart, c.one_key, c.one_unit,
           CAST(CASE WHEN c.one_name THEN 30 WHEN c.one_key THEN 25 ELSE 10 END
                + CASE WHEN c.one_unit THEN 25 ELSE 0 END
                + CASE WHEN c.apart <= $distance THEN 35 WHEN c.apart = $distance + 1 THEN 15 ELSE 0 END
                + CASE WHEN coalesce(c.one_sex, false) THEN 10 ELSE 0 END AS BIGINT) AS score
    FROM compared AS c
    WHERE (c.one_key AND (c.one_unit OR c.apart <= $distance))
       OR (c.one_unit AND c.apart <= $distance)
),
best AS (
    SELECT c.donor, c.survivor, c.score, c.apart, c.one_key, c.one_unit,
           row_number() OVER (PARTITION BY c.donor ORDER BY c.score DESC, c.place) AS nth
    FROM candidate AS c
)
SELECT b.donor AS _key, b.survivor AS _after_key, b.survivor AS _group, b.score AS _score,
       concat(CASE WHEN b.one_key THEN '姓名、出生日期相同' ELSE '姓名同音、出生日期相同' END,
              CASE WHEN b.one_unit THEN '、同一单位' ELSE '' END,
              CASE WHEN b.apart <= $distance THEN concat('、号码相差', CAST(b.apart AS VARCHAR), '位') ELSE '' END) AS _evidence
FROM best AS b
WHERE b.nth = 1
