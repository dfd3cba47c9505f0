-- id: LED-07
-- title: 单位最大做账期号与台账不符 / a unit's largest ledger period is not that of its ledger
-- advice: 按台账自动重算，无须处理 / recomputed from the ledger; nothing to do
-- severity: E
-- repair: A0
-- department: 信息
-- evidence: 单位台账
-- basis: reference 5.6
-- table: AB02
-- column: YAE097
-- touches: YAE097
-- effect: change
-- among: AAE140 IN ('110', '210')
WITH largest AS (
    SELECT l.AAB001, l.AAE140, greatest(max(l.AAE002), max(d.AAE002)) AS AAE002
    FROM AB07 AS l
    -- A ledger row that is missing (MIS-04) does not make the last period an earlier one.
    LEFT JOIN (SELECT u.AAB001, u.AAE140, max(u.AAE002) AS AAE002 FROM unit_details AS u GROUP BY u.AAB001, u.AAE140) AS d
           ON d.AAB001 = l.AAB001 AND d.AAE140 = l.AAE140
    WHERE l.AAE140 IN ('110', '210') AND l.AAE002 IS NOT NULL
    GROUP BY l.AAB001, l.AAE140
)
SELECT DISTINCT r._key,
       l.AAE002 AS YAE097,
       concat('台账最大期号', CAST(l.AAE002 AS VARCHAR)) AS _evidence,
       CAST(r.AAB001 AS VARCHAR) AS _group
FROM AB02 AS r
JOIN largest AS l ON l.AAB001 = r.AAB001 AND l.AAE140 = r.AAE140
-- A unit without any ledger keeps what it has.
WHERE coalesce(r.YAE097, 0) <> l.AAE002
