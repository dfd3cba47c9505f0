-- id: LED-10
-- title: 欠费表与未到账明细不符 / the arrears table differs from the details that have not arrived
-- advice: 按未到账明细批量重建欠费；无未到账明细的先核实是否已清欠或明细缺失 / rebuild the arrears from the details in a batch; where no detail is owed, verify first whether it was settled or details are lost
-- severity: E
-- repair: A1
-- department: 经办
-- evidence: 未到账明细
-- basis: reference 5.6, 1 (T23)
-- table: AC43
-- column: AAE078
-- adds: AD23
-- touches: AAZ083, AAB001, AAE140, AAA115, AAE002, AAE003, AAB119, AAB084, AAB120, AAE020, AAE022, AAB165, AAE013
-- effect: add
-- among: AAE140 IN ('110', '210') AND AAE078 = '0'
WITH
-- A unit's month that is owed and of which the arrears table has nothing at all: one row for the unit, by ledger and kind.
owed AS (
    SELECT d.AAB001, d.AAE140, d.AAE002, d.AAE003, d.AAA115, coalesce(d.AAB165, '0') AS AAB165,
           min(d.AAZ223) AS first_detail, count(*) AS details, sum(d.AAC040) AS wages, sum(d.AAE180) AS bases,
           sum(coalesce(d.AAE020, 0)) AS unit_part, sum(coalesce(d.AAE022, 0)) AS person_part
    FROM AC43 AS d
    WHERE d.AAE140 IN ('110', '210') AND d.AAE078 = '0' AND d.AAA115 <> '20' AND coalesce(d.AAE017, '0') <> '1'
      AND d.AAE003 IS NOT NULL AND coalesce(d.AAE020, 0) + coalesce(d.AAE022, 0) > 0
      AND EXISTS (SELECT 1 FROM AB01 AS u WHERE u.AAB001 = d.AAB001)
      AND EXISTS (SELECT 1 FROM AC01 AS p WHERE p.AAC001 = d.AAC001)
    GROUP BY d.AAB001, d.AAE140, d.AAE002, d.AAE003, d.AAA115, coalesce(d.AAB165, '0')
)
SELECT key_text(o.first_detail) AS _key,
       id('arrears', 'LED-10', o.AAB001, o.AAE140, o.AAE002, o.AAE003, o.AAA115, o.AAB165) AS AAZ083,
       o.AAB001 AS AAB001,
       o.AAE140 AS AAE140,
       o.AAA115 AS AAA115,
       o.AAE002 AS AAE002,
       o.AAE003 AS AAE003,
       CAST(o.details AS INT) AS AAB119,
       o.wages AS AAB084,
       o.bases AS AAB120,
       o.unit_part AS AAE020,
       o.person_part AS AAE022,
       CASE WHEN o.AAB165 IN ('0', '2', '3', '4') THEN o.AAB165 ELSE '0' END AS AAB165,
       '据未到账明细重建' AS AAE013,
       concat('未到账明细', CAST(o.details AS VARCHAR), '条，单位', CAST(o.unit_part AS VARCHAR), '、个人', CAST(o.person_part AS VARCHAR)) AS _evidence,
       concat(CAST(o.AAB001 AS VARCHAR), ' ', o.AAE140, ' ', CAST(o.AAE003 AS VARCHAR)) AS _group
FROM owed AS o
WHERE NOT EXISTS (SELECT 1 FROM AD23 AS q WHERE q.AAB001 = o.AAB001 AND q.AAE140 = o.AAE140 AND q.AAE003 = o.AAE003)
