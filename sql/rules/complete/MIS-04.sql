-- id: MIS-04
-- title: 有缴费明细、无单位台账 / details without a row in the unit ledger
-- advice: 按明细汇总补建单位台账，列入重汇清单 / add the ledger row from the sum of its details, and put it on the re-aggregation list
-- severity: E
-- repair: A1
-- department: 经办
-- evidence: 明细合计、到账凭证
-- basis: reference 5.5, 9.7
-- table: AC43
-- column: AAE002
-- adds: AB07
-- touches: YAE518, AAB001, AAE140, AAE002, AAE003, AAA115, AAC084, AAB119, AAB084, AAB120, AAB121, AAA041, AAA042, AAB150, AAB152, AAB156,
--     AAE239, AAB165, AAB191, YAD003, AAE013
-- effect: add
-- among: AAE140 IN ('110', '210') AND AAA115 <> '90' AND coalesce(YAA115, '0') NOT IN ('3', '4')
WITH
-- What all ledgers of this kind and month have alike is the rate of the month; where they differ, none is taken.
rate AS (
    SELECT l.AAE140, l.AAE003, l.AAA115, coalesce(l.AAC084, '0') AS AAC084, min(l.AAA041) AS person_rate, min(l.AAA042) AS unit_rate
    FROM AB07 AS l
    WHERE l.AAA041 IS NOT NULL AND l.AAA042 IS NOT NULL
    GROUP BY l.AAE140, l.AAE003, l.AAA115, coalesce(l.AAC084, '0')
    HAVING min(l.AAA041) = max(l.AAA041) AND min(l.AAA042) = max(l.AAA042)
),
missing AS (
    SELECT u.*, r.person_rate, r.unit_rate
    FROM unit_details AS u
    LEFT JOIN rate AS r ON r.AAE140 = u.AAE140 AND r.AAE003 = u.AAE003 AND r.AAA115 = u.AAA115 AND r.AAC084 = u.AAC084
    WHERE NOT EXISTS (
        SELECT 1 FROM AB07 AS l
        WHERE l.AAB001 = u.AAB001 AND l.AAE140 = u.AAE140 AND l.AAE002 = u.AAE002 AND l.AAE003 = u.AAE003
          AND l.AAA115 = u.AAA115 AND coalesce(l.AAC084, '0') = u.AAC084)
)
SELECT key_text(m.first_detail) AS _key,
       id('ledger', 'MIS-04', m.AAB001, m.AAE140, m.AAE002, m.AAE003, m.AAA115, m.AAC084) AS YAE518,
       m.AAB001 AS AAB001,
       m.AAE140 AS AAE140,
       m.AAE002 AS AAE002,
       m.AAE003 AS AAE003,
       m.AAA115 AS AAA115,
       m.AAC084 AS AAC084,
       CAST(m.details AS INT) AS AAB119,
       m.wages AS AAB084,
       m.bases AS AAB120,
       -- The unit paid by the persons' bases where its part says so.
       coalesce(m.unit_bases, CASE WHEN abs(m.unit_part - m.bases * m.unit_rate) <= 0.01 * m.details THEN m.bases END) AS AAB121,
       m.person_rate AS AAA041,
       m.unit_rate AS AAA042,
       m.unit_part AS AAB150,
       m.person_part AS AAB152,
       m.unit_part + m.person_part AS AAB156,
       m.interest AS AAE239,
       CASE WHEN m.arrived = m.details THEN '1' ELSE '0' END AS AAB165,
       CASE WHEN m.arrived > 0 THEN m.last_arrival END AS AAB191,
       m.arrived_sum AS YAD003,
       '据缴费明细重汇补建' AS AAE013,
       concat('明细', CAST(m.details AS VARCHAR), '条，其中到账', CAST(m.arrived AS VARCHAR), '条，到账金额', CAST(m.arrived_sum AS VARCHAR)) AS _evidence,
       concat(CAST(m.AAB001 AS VARCHAR), ' ', m.AAE140, ' ', CAST(m.AAE002 AS VARCHAR)) AS _group
FROM missing AS m
