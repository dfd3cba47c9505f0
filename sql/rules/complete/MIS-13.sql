-- id: MIS-13
-- title: 参保明细起止无变动记录 / a spell begins or pauses without an event
-- advice: 批量补记变动，标“系统补记”，参保状态不动；终止无记录的见 REC-01 / add the event marked as made up, in a batch; no state changes; for terminations see REC-01
-- severity: W
-- repair: A1
-- department: 经办
-- evidence: 修改记录
-- basis: reference 5.5
-- table: AC20
-- column: AAE042
-- adds: AC05
-- touches: AAZ002, AAC001, AAB001, AAE140, AAC050, AAE160, AAE035, AAE013
-- effect: add
-- among: AAE140 IN ('110', '210') AND AAE041 IS NOT NULL
-- params: within = 1
WITH
-- Where no events are kept for an insurance, or not yet, none is missing.
kept AS (
    SELECT e.AAE140, min(date_period(e.AAE035)) AS first_month
    FROM AC05 AS e
    WHERE e.AAE035 IS NOT NULL
    GROUP BY e.AAE140
),
spell AS (
    SELECT s._key, s.AAZ157, s.AAC001, s.AAB001, s.AAE140, s.AAC031, s.AAE041, s.AAE042, s.AAE160,
           row_number() OVER (PARTITION BY s.AAC001, s.AAE140 ORDER BY s.AAE041, s.AAZ157) AS nth
    FROM AC20 AS s
    WHERE s.AAE140 IN ('110', '210') AND s.AAE041 IS NOT NULL AND s.AAC001 IS NOT NULL AND s.AAB001 IS NOT NULL
),
edge AS (
    SELECT b._key, b.AAZ157, b.AAC001, b.AAB001, b.AAE140, 'begin' AS side, b.AAE041 AS month,
           CASE WHEN b.nth = 1 THEN '11' ELSE '12' END AS AAC050, CAST(NULL AS VARCHAR) AS AAE160
    FROM spell AS b
    UNION ALL
    -- Terminations (3) are not made up: REC-01 asks who ended them.
    SELECT p._key, p.AAZ157, p.AAC001, p.AAB001, p.AAE140, 'pause' AS side, p.AAE042 AS month, '22' AS AAC050, p.AAE160
    FROM spell AS p
    WHERE p.AAC031 = '2' AND p.AAE042 IS NOT NULL
),
event AS (
    SELECT DISTINCT e.AAC001, e.AAE140, CASE WHEN e.AAC050 IN ('11', '12') THEN 'begin' ELSE 'pause' END AS side, date_period(e.AAE035) AS month
    FROM AC05 AS e
    WHERE e.AAE035 IS NOT NULL AND coalesce(e.YAE120, '0') <> '1'
)
SELECT g._key,
       id('event', 'MIS-13', g.AAZ157, g.side) AS AAZ002,
       g.AAC001 AS AAC001,
       g.AAB001 AS AAB001,
       g.AAE140 AS AAE140,
       g.AAC050 AS AAC050,
       g.AAE160 AS AAE160,
       period_date(g.month) AS AAE035,
       '系统补记' AS AAE013,
       concat(CASE g.side WHEN 'begin' THEN '起始' ELSE '中断' END, CAST(g.month AS VARCHAR), '，前后各', CAST($within AS VARCHAR), '个月无变动记录') AS _evidence
FROM edge AS g
JOIN kept AS k ON k.AAE140 = g.AAE140 AND g.month >= k.first_month
WHERE EXISTS (SELECT 1 FROM AC01 AS p WHERE p.AAC001 = g.AAC001)
  AND EXISTS (SELECT 1 FROM AB01 AS u WHERE u.AAB001 = g.AAB001)
  AND NOT EXISTS (
      SELECT 1 FROM event AS e
      WHERE e.AAC001 = g.AAC001 AND e.AAE140 = g.AAE140 AND e.side = g.side AND abs(months(e.month, g.month)) <= $within)
