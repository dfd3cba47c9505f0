-- id: LOG-01
-- title: 单位状态与参保状态矛盾 / state of the unit contradicts the state of its insurance
-- advice: 核对市监登记状态，再决定终止单位参保还是更正单位状态 / compare with the market regulator's register, then end the insurance or correct the unit's state
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 市监
-- basis: reference 5.6
-- table: AB02
-- column: AAB051
-- effect: none
-- among: AAE140 IN ('110', '210') AND AAB051 IN ('1', '3')
WITH ended_everywhere AS (
    SELECT r.AAB001
    FROM AB02 AS r
    WHERE r.AAE140 IN ('110', '210')
    GROUP BY r.AAB001
    HAVING min(CASE WHEN r.AAB051 = '3' THEN 1 ELSE 0 END) = 1
),
-- One row per unit and insurance with people who still pay there.
active_members AS (
    SELECT s.AAB001, s.AAE140, count(*) AS members
    FROM AC20 AS s
    WHERE s.AAC031 = '1' AND s.AAE042 IS NULL
    GROUP BY s.AAB001, s.AAE140
),
unit AS (
    SELECT u.AAB001, max(u.AAE119) AS state
    FROM AB01 AS u
    GROUP BY u.AAB001
),
gone AS (
    SELECT w.AAB001, max(CASE WHEN w.YWS001 = '1' OR w.YWS002 = '1' THEN 1 ELSE 0 END) AS gone
    FROM W_UNIT_STATE AS w
    GROUP BY w.AAB001
)
SELECT r._key,
       min(concat(r.AAE140, ' ',
                  CASE WHEN r.AAB051 = '1' THEN '单位已注销或破产，仍为参保缴费'
                       ELSE concat('单位登记在册、各险种均已终止，仍有在保人员', CAST(m.members AS VARCHAR), '人')
                  END)) AS _evidence,
       min(CAST(r.AAB001 AS VARCHAR)) AS _group
FROM AB02 AS r
LEFT JOIN unit AS u ON u.AAB001 = r.AAB001
LEFT JOIN gone AS g ON g.AAB001 = r.AAB001
LEFT JOIN ended_everywhere AS e ON e.AAB001 = r.AAB001
LEFT JOIN active_members AS m ON m.AAB001 = r.AAB001 AND m.AAE140 = r.AAE140
WHERE r.AAE140 IN ('110', '210')
  AND ((r.AAB051 = '1' AND (u.state IN ('2', '3') OR g.gone = 1))
    OR (r.AAB051 = '3' AND u.state = '1' AND coalesce(g.gone, 0) = 0 AND e.AAB001 IS NOT NULL AND m.members > 0))
GROUP BY r._key
