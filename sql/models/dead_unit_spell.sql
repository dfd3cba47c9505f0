-- row: a spell at a cancelled or test unit for which nothing was ever paid
-- key: AAZ157
WITH
dead AS (
    SELECT u.AAB001 FROM AB01 AS u WHERE u.AAE119 = '3'
    UNION
    SELECT s.AAB001 FROM W_UNIT_STATE AS s WHERE s.YWS001 = '1' OR s.YWS003 = '1'
    UNION
    SELECT t.AAB001 FROM test_unit AS t WHERE NOT t.arrived
),
owed AS (
    SELECT m.AAC001, m.AAB001, m.AAE140, sum(m.arrived) AS arrived, max(m.last_owed) AS last_owed
    FROM person_unit_paid AS m
    GROUP BY m.AAC001, m.AAB001, m.AAE140
),
-- Money in the account from before the first detail that is kept: something was paid after all.
account AS (
    SELECT a.AAC001, min(f.first_month) AS first_month
    FROM AC50 AS a
    LEFT JOIN first_payment AS f ON f.AAC001 = a.AAC001 AND f.AAE140 = '110'
    WHERE a.AAE238 > 0
    GROUP BY a.AAC001
)
SELECT c.AAZ157, min(c._key) AS spell_key, min(c.AAZ159) AS AAZ159, min(c.AAC031) AS AAC031,
       -- Nothing counts for this spell: it ends with the last month that is written down, else with its first.
       max(greatest(c.AAE041, o.last_owed)) AS last_month
FROM AC20 AS c
JOIN dead AS d ON d.AAB001 = c.AAB001
LEFT JOIN owed AS o ON o.AAC001 = c.AAC001 AND o.AAB001 = c.AAB001 AND o.AAE140 = c.AAE140
LEFT JOIN account AS k ON k.AAC001 = c.AAC001 AND c.AAE140 = '110' AND coalesce(c.AAE041, 0) < coalesce(k.first_month, 999912)
WHERE c.AAE140 IN ('110', '210') AND coalesce(o.arrived, 0) = 0 AND k.AAC001 IS NULL
GROUP BY c.AAZ157
