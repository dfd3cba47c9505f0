-- row: a person number whose name and citizen ID have both been changed to something else (双改)
-- key: AAC001
WITH
-- The log's field names differ by city, so a change is told by its values: a value that is or was the person's name, or has the form of an ID.
-- 15 digits folded to 18, and spaces or remarks taken off a name, are no change.
logged AS (
    SELECT b.AAC001,
           max(CASE WHEN id_check(c.AAE124) IN ('ok', 'ok15', 'digit')
                     AND (id_check(c.AAE123) IN ('ok', 'ok15', 'digit') OR c.AAE122 IN ('AAC147', 'AAC002'))
                     AND upper(btrim(half_width(c.AAE123))) <> upper(btrim(half_width(c.AAE124)))
                     AND coalesce(id18(c.AAE123), '') <> upper(btrim(half_width(c.AAE124)))
                    THEN 1 ELSE 0 END) AS id_changed,
           max(CASE WHEN (c.AAE122 = 'AAC003' OR name_key(c.AAE124) = b.name_key OR name_key(c.AAE123) = name_key(n.YWP002))
                     AND c.AAE123 <> '' AND c.AAE124 <> '' AND name_key(name_clean(c.AAE123)) <> name_key(name_clean(c.AAE124))
                    THEN 1 ELSE 0 END) AS name_changed
    FROM W_CHANGE_LOG AS c
    JOIN person_by_id AS b ON b.number = btrim(c.YWG002)
    LEFT JOIN W_PERSON_NOTE AS n ON n.AAC001 = b.AAC001
    GROUP BY b.AAC001
),
noted AS (
    SELECT n.AAC001,
           max(CASE WHEN id_check(n.YWP001) IN ('ok', 'ok15', 'digit')
                     AND upper(btrim(half_width(n.YWP001))) <> b.id_text
                     AND coalesce(id18(n.YWP001), '') <> b.id_text
                    THEN 1 ELSE 0 END) AS id_changed,
           max(CASE WHEN n.YWP002 <> '' AND name_key(name_clean(n.YWP002)) <> name_key(name_clean(b.name))
                    THEN 1 ELSE 0 END) AS name_changed
    FROM W_PERSON_NOTE AS n
    JOIN person_by_id AS b ON b.AAC001 = n.AAC001
    GROUP BY n.AAC001
)
SELECT x.AAC001
FROM (SELECT * FROM logged UNION ALL SELECT * FROM noted) AS x
GROUP BY x.AAC001
HAVING max(x.id_changed) = 1 AND max(x.name_changed) = 1
