-- id: MIS-03
-- title: 缴费月份不在任何参保明细期间内 / payment months outside every spell
-- advice: 核对到账记录后，按缴费月份补建参保明细；未到账的先核实 / check the arrivals, then add a spell for these months; verify first what has not arrived
-- severity: E
-- repair: A1
-- department: 经办
-- evidence: 到账记录
-- basis: reference 5.5
-- table: AC43
-- column: AAE003
-- adds: AC20
-- touches: AAZ157, AAZ159, AAC001, AAB001, AAE140, AAC031, AAE041, AAE042, AAC030, AAC040, AAE180, AAC084, AAE013
-- effect: add
-- among: AAE140 IN ('110', '210') AND AAA115 = '10' AND coalesce(YAA115, '0') = '0' AND AAE003 IS NOT NULL
WITH
-- Ordinary payments only: back payments, transfers, late records and prepayments may stand outside a spell. A spell without a first month
-- (a side that kept none) covers what comes before its end. Months after death or retirement are LOG-04 and LOG-05.
bare AS (
    SELECT d.AAZ223, d.AAZ159, d.AAC001, d.AAB001, d.AAE140, d.AAC040, d.AAE180, d.AAE078, d.AAE003 AS first_month,
           CASE WHEN d.AAE042 >= d.AAE003 THEN d.AAE042
                WHEN d.AAE201 > 1 THEN period_add(d.AAE003, d.AAE201 - 1)
                ELSE d.AAE003
           END AS last_month
    FROM AC43 AS d
    WHERE d.AAE140 IN ('110', '210') AND d.AAA115 = '10' AND coalesce(d.YAA115, '0') = '0' AND coalesce(d.AAE017, '0') <> '1'
      AND d.AAE003 IS NOT NULL AND d.AAB001 IS NOT NULL
      AND EXISTS (SELECT 1 FROM AC01 AS p WHERE p.AAC001 = d.AAC001)
      AND NOT EXISTS (
          SELECT 1 FROM AC20 AS s
          WHERE s.AAC001 = d.AAC001 AND s.AAE140 = d.AAE140
            AND (s.AAE041 IS NULL OR s.AAE041 <= d.AAE003) AND (s.AAE042 IS NULL OR s.AAE042 >= d.AAE003))
),
living AS (
    SELECT b.AAZ223, b.AAZ159, b.AAC001, b.AAB001, b.AAE140, b.AAC040, b.AAE180, b.AAE078, b.first_month, b.last_month
    FROM bare AS b
    LEFT JOIN person_state AS e ON e.AAC001 = b.AAC001
    WHERE (e.died IS NULL OR b.first_month <= e.died) AND (e.retired IS NULL OR b.first_month <= e.retired)
),
-- Months that follow each other at one unit are one spell.
stepped AS (
    SELECT l.AAZ223, l.AAZ159, l.AAC001, l.AAB001, l.AAE140, l.AAC040, l.AAE180, l.AAE078, l.first_month, l.last_month,
           CASE WHEN l.first_month <= period_add(
                    max(l.last_month) OVER (PARTITION BY l.AAC001, l.AAE140, l.AAB001 ORDER BY l.first_month, l.last_month, l.AAZ223
                                            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 1)
                THEN 0 ELSE 1 END AS begins
    FROM living AS l
),
numbered AS (
    SELECT s.AAZ223, s.AAZ159, s.AAC001, s.AAB001, s.AAE140, s.AAC040, s.AAE180, s.AAE078, s.first_month, s.last_month,
           sum(s.begins) OVER (PARTITION BY s.AAC001, s.AAE140, s.AAB001 ORDER BY s.first_month, s.last_month, s.AAZ223
                               ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS run
    FROM stepped AS s
),
run AS (
    SELECT n.AAC001, n.AAE140, n.AAB001, n.run,
           min(n.first_month) AS first_month, max(n.last_month) AS last_month,
           count(*) AS details, min(CASE WHEN n.AAE078 = '1' THEN 1 ELSE 0 END) AS arrived,
           first_value(n.AAZ223 ORDER BY n.first_month, n.AAZ223) AS first_detail,
           min(n.AAZ159) AS relation_of_detail,
           last_value(n.AAC040 ORDER BY n.first_month, n.AAZ223) AS wage,
           last_value(n.AAE180 ORDER BY n.first_month, n.AAZ223) AS base
    FROM numbered AS n
    GROUP BY n.AAC001, n.AAE140, n.AAB001, n.run
),
relation AS (
    SELECT r.AAC001, r.AAE140, min(r.AAZ159) AS AAZ159, min(r.AAC008) AS state
    FROM AC02 AS r
    GROUP BY r.AAC001, r.AAE140
),
unit AS (SELECT DISTINCT u.AAB001 FROM AB01 AS u)
SELECT key_text(n.first_detail) AS _key,
       id('spell', 'MIS-03', n.AAC001, n.AAE140, n.AAB001, n.first_month) AS AAZ157,
       coalesce(r.AAZ159, n.relation_of_detail) AS AAZ159,
       n.AAC001 AS AAC001,
       n.AAB001 AS AAB001,
       n.AAE140 AS AAE140,
       -- A closed spell: it must not contradict the relation, which stays as it is.
       CASE WHEN r.state = '4' THEN '3' ELSE '2' END AS AAC031,
       n.first_month AS AAE041,
       n.last_month AS AAE042,
       period_date(n.first_month) AS AAC030,
       n.wage AS AAC040,
       n.base AS AAE180,
       '0' AS AAC084,
       '来源：补（据缴费明细补建）' AS AAE013,
       CASE WHEN n.arrived = 1 AND r.AAZ159 IS NOT NULL AND u.AAB001 IS NOT NULL THEN 'A1' ELSE 'V' END AS _repair,
       concat('缴费', CAST(n.first_month AS VARCHAR), '至', CAST(n.last_month AS VARCHAR), '，明细', CAST(n.details AS VARCHAR), '条',
              CASE WHEN n.arrived = 1 THEN '，均已到账' ELSE '，有未到账' END,
              CASE WHEN r.AAZ159 IS NULL THEN '，无参保关系' ELSE '' END,
              CASE WHEN u.AAB001 IS NULL THEN '，无单位信息' ELSE '' END) AS _evidence,
       CAST(n.AAC001 AS VARCHAR) AS _group
FROM run AS n
LEFT JOIN relation AS r ON r.AAC001 = n.AAC001 AND r.AAE140 = n.AAE140
LEFT JOIN unit AS u ON u.AAB001 = n.AAB001
