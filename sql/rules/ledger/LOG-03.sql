-- id: LOG-03
-- title: 已死亡、退休或转出，参保明细未终止 / spell still open after death, retirement or transfer out
-- advice: 终止年月取事件当月；事件早于本段开始的，先核实事件 / close it with the month of the event; where the event is earlier than the spell, verify the event first
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 死亡证明、退休审批表、转移联系函
-- basis: reference 5.6
-- table: AC20
-- column: AAE042
-- touches: AAE042, AAC031, AAE160
-- effect: change
-- among: AAE140 IN ('110', '210') AND AAE042 IS NULL AND AAC031 IN ('1', '2')
WITH
-- The latest transfer out of each person and insurance. Who came back afterwards has a spell that begins later.
left_pool AS (
    SELECT x.AAC001, x.AAE140, max(x.month) AS month
    FROM (
        SELECT t.AAC001, t.AAE140, date_period(m.AAE035) AS month
        FROM IC89 AS t
        JOIN IC90 AS m ON m.AAE270 = t.AAE270
        WHERE t.AAC070 = '2'
        UNION ALL
        SELECT t.AAC001, '210', date_period(t.AAE035)
        FROM JC12 AS t
    ) AS x
    WHERE x.month IS NOT NULL
    GROUP BY x.AAC001, x.AAE140
),
event AS (
    SELECT s._key, s.AAE041, s.AAE160,
           p.died,
           -- A pensioner's own relation (3,1) is no open spell; it is left out below by AAC031.
           p.retired,
           CASE WHEN s.AAE041 IS NULL OR s.AAE041 <= t.month THEN t.month END AS left_month
    FROM AC20 AS s
    LEFT JOIN person_state AS p ON p.AAC001 = s.AAC001
    LEFT JOIN left_pool AS t ON t.AAC001 = s.AAC001 AND t.AAE140 = s.AAE140
    WHERE s.AAE140 IN ('110', '210') AND s.AAE042 IS NULL AND s.AAC031 IN ('1', '2')
),
nearest AS (
    SELECT e._key, e.AAE041, e.AAE160, e.died, e.retired, e.left_month,
           least(e.died, e.retired, e.left_month) AS month
    FROM event AS e
    WHERE coalesce(e.died, e.retired, e.left_month) IS NOT NULL
),
closing AS (
    SELECT n._key, n.AAE160, n.month,
           CASE WHEN n.month = n.died THEN '6401' WHEN n.month = n.retired THEN '6501' ELSE '6404' END AS reason,
           coalesce(n.month >= n.AAE041, false) AS closes
    FROM nearest AS n
)
SELECT c._key,
       min(CASE WHEN c.closes THEN c.month END) AS AAE042,
       min(CASE WHEN c.closes THEN '3' END) AS AAC031,
       min(CASE WHEN c.closes AND coalesce(c.AAE160, '') = '' THEN c.reason END) AS AAE160,
       min(CASE WHEN c.closes THEN 'A1' END) AS _repair,
       min(concat(CASE c.reason WHEN '6401' THEN '死亡' WHEN '6501' THEN '退休' ELSE '转出' END, CAST(c.month AS VARCHAR))) AS _evidence
FROM closing AS c
GROUP BY c._key
