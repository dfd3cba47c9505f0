-- row: a person number that shares its citizen ID with another number of the same side
-- key: AAC001
-- params: bad = '[\p{Co}\x{FFFD}?？]'
WITH
-- Numbers without a name are left out (FIL-01). cluster: names that sound the same, a name that another one of them had before, and one that
-- agrees with another in all characters that can be read.
shared AS (
    SELECT b.AAC001, b.person_key, b.id, b.side, b.sound, b.confirmed, b.name, b.name_key, b.sex, b.birth,
           count(*) OVER (PARTITION BY b.id, b.side) AS numbers
    FROM person_by_id AS b
    WHERE b.id IS NOT NULL AND b.name_key <> ''
),
several AS (
    SELECT s.AAC001, s.person_key, s.id, s.side, s.sound, s.confirmed, s.name, s.name_key, s.sex, s.birth
    FROM shared AS s
    WHERE s.numbers > 1
),
former AS (
    SELECT f.AAC001, min(q.name_key) AS name_key
    FROM several AS f
    JOIN W_PERSON_NOTE AS n ON n.AAC001 = f.AAC001
    JOIN several AS q ON q.id = f.id AND q.side = f.side AND q.name_key = name_key(n.YWP002)
    WHERE q.AAC001 <> f.AAC001 AND q.name_key <> f.name_key
    GROUP BY f.AAC001
),
unreadable AS (
    SELECT f.AAC001, min(q.name_key) AS name_key
    FROM several AS f
    JOIN several AS q ON q.id = f.id AND q.side = f.side
    WHERE regexp_like(f.name, $bad) AND NOT regexp_like(q.name, $bad) AND q.name_key LIKE regexp_replace(f.name_key, $bad, '_', 'g')
    GROUP BY f.AAC001
),
clustered AS (
    SELECT s.AAC001, s.person_key, s.id, s.side, s.sound, s.confirmed, s.name, s.name_key, s.sex, s.birth,
           name_sound(coalesce(o.name_key, u.name_key, s.name_key)) AS cluster,
           r.place, r.owes, r.has_benefit
    FROM several AS s
    JOIN person_rank AS r ON r.AAC001 = s.AAC001
    LEFT JOIN former AS o ON o.AAC001 = s.AAC001
    LEFT JOIN unreadable AS u ON u.AAC001 = s.AAC001
)
SELECT c.AAC001, c.person_key, c.id, c.side, c.sound, c.confirmed, c.name, c.name_key, c.sex, c.birth, c.cluster, c.place, c.owes, c.has_benefit,
       -- Numbers under exactly this name, and the one of them that survives.
       count(*) OVER (PARTITION BY c.id, c.side, c.name) AS name_numbers,
       row_number() OVER (PARTITION BY c.id, c.side, c.name ORDER BY c.place) AS name_nth,
       first_value(c.person_key) OVER (PARTITION BY c.id, c.side, c.name ORDER BY c.place) AS name_survivor,
       first_value(c.person_key) OVER (PARTITION BY c.id, c.side, c.cluster ORDER BY c.place) AS cluster_survivor,
       first_value(c.person_key) OVER (PARTITION BY c.id, c.side ORDER BY c.place) AS id_survivor,
       min(c.cluster) OVER (PARTITION BY c.id, c.side) <> max(c.cluster) OVER (PARTITION BY c.id, c.side) AS several_people
FROM clustered AS c
