-- id: LOG-12
-- title: 转移接续数据不平或方向相反 / transfer data do not add up, or the direction is turned round
-- advice: 对照联系函和信息表更正 / correct by the contact letter and the information sheet
-- severity: E
-- repair: V
-- department: 养老
-- evidence: 联系函
-- basis: reference 0.3, 1 (T22), 5.6
-- table: IC89
-- column: AAC070
-- effect: none
-- among: AAC070 IN ('1', '2') AND AAB299 IS NOT NULL AND AAB301 IS NOT NULL
WITH
-- The own city: the four digits in which most units lie.
own AS (
    SELECT c.city
    FROM (
        SELECT substr(u.AAB301, 1, 4) AS city, count(*) AS units
        FROM AB01 AS u
        WHERE character_length(u.AAB301) = 6
        GROUP BY substr(u.AAB301, 1, 4)
    ) AS c
    ORDER BY c.units DESC, c.city
    LIMIT 1
)
SELECT t._key, min(concat('转移方向', t.AAC070, '，转出地', t.AAB299, '，转入地', t.AAB301)) AS _evidence
FROM IC89 AS t
CROSS JOIN own AS o
-- In (1) comes from elsewhere to here, out (2) goes from here to elsewhere. A transfer between two of the city's own pools is either.
WHERE (t.AAC070 = '1' AND substr(t.AAB299, 1, 4) = o.city AND substr(t.AAB301, 1, 4) <> o.city)
   OR (t.AAC070 = '2' AND substr(t.AAB301, 1, 4) = o.city AND substr(t.AAB299, 1, 4) <> o.city)
GROUP BY t._key
