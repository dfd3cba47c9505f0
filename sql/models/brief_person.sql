-- row: a person number with a valid ID and one spell of at most three months in each insurance
-- key: AAC001
-- params: longest = 3
WITH
-- An open spell lasts until the month of the run. A person without spells is none of these.
brief AS (
    SELECT s.AAC001
    FROM (
        SELECT c.AAC001, c.AAE140, count(*) AS spells,
               max(months(c.AAE041, coalesce(c.AAE042, date_period(as_of()))) + 1) AS lasted,
               count(c.AAE041) AS begun
        FROM AC20 AS c
        WHERE c.AAC001 IS NOT NULL AND c.AAE140 IN ('110', '210')
        GROUP BY c.AAC001, c.AAE140
    ) AS s
    GROUP BY s.AAC001
    HAVING max(s.spells) = 1 AND min(s.begun) = 1 AND max(s.lasted) <= $longest
)
SELECT p.AAC001, min(p.AAC147) AS number, min(name_key(name_clean(p.AAC003))) AS name_key, min(name_sound(name_clean(p.AAC003))) AS name_sound
FROM AC01 AS p
JOIN brief AS b ON b.AAC001 = p.AAC001
WHERE id_check(p.AAC147) IN ('ok', 'ok15') AND btrim(p.AAC003) <> ''
GROUP BY p.AAC001
