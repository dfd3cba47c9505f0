-- id: LED-03
-- title: 缴费额与基数、比例不符，或正负号不对 / amounts do not follow from base and rate, or have the wrong sign
-- advice: 核对申报表和核定表；差额不足 1 元的只作标记 / compare declaration and assessment; a difference below 1 yuan is only marked
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 申报表
-- basis: reference 5.6, 4.6, 9.4
-- table: AC43
-- column: AAE022
-- effect: none
-- among: AAE140 IN ('110', '210') AND AAE180 IS NOT NULL
-- params: tolerance = 0.05, small = 1.00
WITH
-- The rate of the detail, else of its ledger: the city's own. Published rates would raise false alarms before 2006 (4.6).
ledger AS (
    SELECT l.AAB001, l.AAE140, l.AAE002, l.AAE003, l.AAA115,
           CASE WHEN min(l.AAA041) = max(l.AAA041) THEN min(l.AAA041) END AS person_rate,
           CASE WHEN min(l.AAA042) = max(l.AAA042) THEN min(l.AAA042) END AS unit_rate
    FROM AB07 AS l
    WHERE l.AAE140 IN ('110', '210')
    GROUP BY l.AAB001, l.AAE140, l.AAE002, l.AAE003, l.AAA115
),
-- Rows with a month in which the unit's part was let off or halved (4.6): any amount is legal.
row_span AS (
    SELECT DISTINCT d.AAE140, d.AAE003 AS first_month, coalesce(d.AAE042, d.AAE003) AS last_month
    FROM AC43 AS d
    WHERE d.AAE140 IN ('110', '210')
),
relief AS (
    SELECT DISTINCT m.AAE140, m.first_month, m.last_month
    FROM row_span AS m
    JOIN ref_relief AS x ON x.AAE140 = m.AAE140
    WHERE x.kind IN ('exempt', 'half') AND x.period_from <= m.last_month AND (x.period_to IS NULL OR x.period_to >= m.first_month)
),
detail AS (
    SELECT d._key, d.AAE140, d.AAA115, d.YAA115, d.AAE020, d.AAE022, d.AAE180, d.BAE180,
           greatest(coalesce(d.AAE201, 1), 1) AS months,
           coalesce(d.AAA041, l.person_rate) AS person_rate,
           coalesce(d.AAA042, l.unit_rate) AS unit_rate,
           r.AAE140 IS NOT NULL AS in_relief
    FROM AC43 AS d
    LEFT JOIN ledger AS l
           ON l.AAB001 = d.AAB001 AND l.AAE140 = d.AAE140 AND l.AAE002 = d.AAE002 AND l.AAE003 = d.AAE003 AND l.AAA115 = d.AAA115
    LEFT JOIN relief AS r ON r.AAE140 = d.AAE140 AND r.first_month = d.AAE003 AND r.last_month = coalesce(d.AAE042, d.AAE003)
    WHERE d.AAE140 IN ('110', '210') AND coalesce(d.AAE017, '0') <> '1'
),
judged AS (
    SELECT x._key, x.AAE020, x.AAE022, x.months,
           (x.AAA115 = '20' AND (x.AAE020 > 0 OR x.AAE022 > 0)) OR (x.AAA115 <> '20' AND (x.AAE020 < 0 OR x.AAE022 < 0)) AS sign_wrong,
           -- Ordinary and back payments of whole months only: an adjustment, a single payment or a refund has no base of its own. Peasant
           -- contract workers pay no unemployment premium themselves.
           CASE WHEN x.AAA115 IN ('10', '31') AND coalesce(x.YAA115, '0') IN ('0', '1') AND NOT (x.AAE140 = '210' AND x.AAE022 = 0)
                THEN CAST(abs(x.AAE022 - CAST(round(x.AAE180 * x.person_rate, 2) AS DECIMAL(16, 2)) * x.months) AS DECIMAL(16, 2)) END AS person_off,
           CASE WHEN x.AAA115 IN ('10', '31') AND coalesce(x.YAA115, '0') IN ('0', '1') AND NOT x.in_relief
                THEN CAST(abs(x.AAE020 - CAST(round(coalesce(x.BAE180, x.AAE180) * x.unit_rate, 2) AS DECIMAL(16, 2)) * x.months) AS DECIMAL(16, 2)) END AS unit_off
    FROM detail AS x
),
hit AS (
    SELECT j._key, coalesce(j.sign_wrong, false) AS sign_wrong, j.person_off, j.unit_off,
           coalesce(j.person_off > CAST($tolerance * j.months AS DECIMAL(16, 2)), false) AS person_wrong,
           coalesce(j.unit_off > CAST($tolerance * j.months AS DECIMAL(16, 2)), false) AS unit_wrong,
           greatest(coalesce(j.person_off, 0), coalesce(j.unit_off, 0)) AS off
    FROM judged AS j
)
SELECT h._key,
       CASE WHEN bool_and(NOT h.sign_wrong AND h.off < $small) THEN 'W' END AS _severity,
       CASE WHEN bool_and(NOT h.sign_wrong AND h.off < $small) THEN 'N' END AS _repair,
       min(concat(CASE WHEN h.sign_wrong THEN '正负号与缴费类型不符；' ELSE '' END,
              CASE WHEN h.person_wrong THEN concat('个人差', CAST(h.person_off AS VARCHAR), '；') ELSE '' END,
              CASE WHEN h.unit_wrong THEN concat('单位差', CAST(h.unit_off AS VARCHAR), '；') ELSE '' END)) AS _evidence
FROM hit AS h
WHERE h.sign_wrong OR h.person_wrong OR h.unit_wrong
GROUP BY h._key
