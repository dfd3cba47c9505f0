-- row: a person number of brief insurance whom 公安 does not know, or knows under another name
-- key: AAC001
WITH
known AS (
    SELECT b.AAC001, count(g.id) AS records,
           -- Same by characters, by sound (an error of entry, FIX-09) or by a former name: the same person.
           count(CASE WHEN name_key(g.name) = b.name_key OR name_sound(g.name) = b.name_sound OR name_key(g.former_name) = b.name_key THEN 1 END) AS same
    FROM brief_person AS b
    LEFT JOIN ext_police AS g ON g.id = coalesce(id18(b.number), b.number)
    GROUP BY b.AAC001
)
SELECT k.AAC001, CASE WHEN k.records = 0 THEN '公安比对无此人' ELSE '公安登记姓名不符' END AS why
FROM known AS k
WHERE k.same = 0
