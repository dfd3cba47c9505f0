-- id: MRG-06
-- title: 同一人的养老编号与失业编号未关联 / pension number and unemployment number of one person are not linked
-- advice: 号码唯一且姓名一致的批量关联，其余逐人核实；参保关系按险种保留 / link in a batch where the ID is unique and the names agree, verify the others; relations stay per insurance
-- severity: E
-- repair: V
-- department: 失业
-- evidence: 公安
-- basis: reference 5.7, 9.11
-- table: AC01
-- column: AAC001
-- effect: merge
-- among: AAC999 IS NOT NULL
-- params: bad = '[\p{Co}\x{FFFD}?？]'
WITH
counted AS (
    SELECT b.id, count(*) FILTER (WHERE b.side = 'P') AS pension_numbers, count(*) FILTER (WHERE b.side = 'U') AS other_numbers
    FROM person_by_id AS b
    WHERE b.id IS NOT NULL
    GROUP BY b.id
),
note AS (
    SELECT n.AAC001, min(name_key(n.YWP002)) AS former
    FROM W_PERSON_NOTE AS n
    GROUP BY n.AAC001
),
-- What may be the pension number: the same ID and a name that is no other person's, or the number that the city linked itself.
candidate AS (
    SELECT u.AAC001, u.person_key, p.person_key AS survivor, r.place,
           name_clean(u.name) = name_clean(p.name) AS one_name,
           u.sound AND p.sound AND u.id = p.id AS one_id,
           c.pension_numbers = 1 AND c.other_numbers = 1 AS only_one,
           k.AAC001 IS NULL AS plain
    FROM person_by_id AS u
    JOIN person_by_id AS p ON p.id = u.id AND p.side = 'P'
    JOIN counted AS c ON c.id = u.id
    JOIN person_rank AS r ON r.AAC001 = p.AAC001
    LEFT JOIN note AS n ON n.AAC001 = p.AAC001
    LEFT JOIN person_double_change AS k ON k.AAC001 = p.AAC001
    WHERE u.side = 'U'
      AND (u.name_key = p.name_key OR name_sound(u.name_key) = name_sound(p.name_key) OR u.name_key = n.former
           -- Each character that cannot be read stands for one.
           OR regexp_like(p.name, $bad) AND u.name_key LIKE regexp_replace(p.name_key, $bad, '_', 'g'))
    UNION ALL
    SELECT u.AAC001, u.person_key, p.person_key, 0, name_clean(u.name) = name_clean(p.name), false, false, true
    FROM person_by_id AS u
    JOIN person_by_id AS p ON p.AAC001 = u.home
    WHERE u.side = 'U' AND u.home <> u.AAC001 AND (u.id IS NULL OR p.id IS NULL OR u.id <> p.id OR u.name_key <> p.name_key)
),
best AS (
    SELECT c.person_key, c.survivor, c.one_name, c.one_id, c.only_one, c.plain,
           row_number() OVER (PARTITION BY c.AAC001
                              ORDER BY CASE WHEN coalesce(c.one_name, false) THEN 0 ELSE 1 END, c.place, c.survivor) AS nth
    FROM candidate AS c
)
SELECT b.person_key AS _key, b.survivor AS _after_key, b.survivor AS _group,
       CASE WHEN b.one_name AND b.one_id AND b.only_one AND b.plain THEN 'A1' END AS _repair,
       nullif(concat_ws('；',
           CASE WHEN NOT coalesce(b.one_name, false) THEN '姓名不完全一致' END,
           CASE WHEN NOT coalesce(b.one_id, false) THEN '证件号码不一致或校验位不符' END,
           CASE WHEN NOT b.only_one AND b.one_id THEN '同一号码有多个编号' END,
           CASE WHEN NOT b.plain THEN '姓名、证件号码均变更过' END), '') AS _evidence
FROM best AS b
WHERE b.nth = 1
