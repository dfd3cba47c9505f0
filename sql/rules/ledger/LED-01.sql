-- id: LED-01
-- title: 单位台账与缴费明细合计不符 / a row of the unit ledger differs from the sum of its details
-- advice: 列入重汇清单；到账金额相符的批量重汇，不符的先对凭证；只改台账，不改明细 / put it on the re-aggregation list; where the arrived money agrees re-aggregate in a batch, else compare with the vouchers first; the ledger changes, never the details
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 到账日期、缴费凭证
-- basis: reference 5.6, 9.4
-- table: AB07
-- column: AAB119
-- touches: AAB119, AAB120, AAB121, AAB150, AAB152, AAB156
-- effect: change
-- among: AAE140 IN ('110', '210') AND AAE002 IS NOT NULL AND AAE003 IS NOT NULL
-- params: tolerance = 0.05
WITH
-- Several rows of one unit's period and type are LED-08, of one number STR-05.
kept AS (
    SELECT l.*, coalesce(l.AAC084, '0') AS kind
    FROM AB07 AS l
    WHERE l.AAE140 IN ('110', '210') AND l.AAE002 IS NOT NULL AND l.AAE003 IS NOT NULL
),
copied AS (
    SELECT l.AAB001, l.AAE140, l.AAE002, l.AAE003, l.AAA115, l.kind
    FROM kept AS l
    GROUP BY l.AAB001, l.AAE140, l.AAE002, l.AAE003, l.AAA115, l.kind
    HAVING count(*) > 1
),
same_key AS (
    SELECT l._key FROM kept AS l GROUP BY l._key HAVING count(*) > 1
),
notice AS (
    SELECT n.AAZ288, max(n.YAD003) AS arrived
    FROM AD21 AS n
    WHERE n.YAD003 IS NOT NULL
    GROUP BY n.AAZ288
    HAVING count(*) = 1
),
-- One notice may be for several rows of the ledger: then its sum is nobody's.
noticed AS (
    SELECT l.AAZ288
    FROM AB07 AS l
    WHERE l.AAZ288 IS NOT NULL
    GROUP BY l.AAZ288
    HAVING count(*) = 1
),
pair AS (
    SELECT l._key, l.AAB001, l.AAE140, l.AAE002, l.AAB119, l.AAB120, l.AAB121, l.AAB150, l.AAB152, l.AAB156, l.AAB191, l.AAD009,
           u.details, u.bases, u.unit_bases, u.unit_part, u.person_part, u.unit_part + u.person_part AS due, u.arrived_sum,
           -- What arrived by the books: the notice, else YAD003, else all of a row that is paid. A row that is owed has no total of its own: it
           -- is the sum of its arrived details (9.4).
           coalesce(n.arrived, l.YAD003, CASE WHEN l.AAB165 = '1' THEN l.AAB156 ELSE u.arrived_sum END) AS arrived_total,
           l.AAB119 <> u.details AS persons_differ,
           abs(l.AAB120 - u.bases) > $tolerance AS bases_differ,
           abs(l.AAB121 - u.unit_bases) > $tolerance AS unit_bases_differ,
           abs(l.AAB150 - u.unit_part) > $tolerance AS unit_differs,
           abs(l.AAB152 - u.person_part) > $tolerance AS person_differs,
           abs(l.AAB156 - u.unit_part - u.person_part) > $tolerance AS due_differs
    FROM kept AS l
    JOIN unit_details AS u
      ON u.AAB001 = l.AAB001 AND u.AAE140 = l.AAE140 AND u.AAE002 = l.AAE002 AND u.AAE003 = l.AAE003
     AND u.AAA115 = l.AAA115 AND u.AAC084 = l.kind
    LEFT JOIN short_ledger AS h ON h.YAE518 = l.YAE518
    LEFT JOIN noticed AS k ON k.AAZ288 = l.AAZ288
    LEFT JOIN notice AS n ON n.AAZ288 = k.AAZ288
    -- Details are missing: MIS-05. The ledger must not be cut down to what is left.
    WHERE l.YAE848 IS NULL AND h.YAE518 IS NULL
      AND NOT EXISTS (SELECT 1 FROM same_key AS s WHERE s._key = l._key)
      AND NOT EXISTS (SELECT 1 FROM copied AS c
                      WHERE c.AAB001 = l.AAB001 AND c.AAE140 = l.AAE140 AND c.AAE002 = l.AAE002 AND c.AAE003 = l.AAE003
                        AND c.AAA115 = l.AAA115 AND c.kind = l.kind)
)
SELECT p._key,
       CAST(CASE WHEN p.persons_differ THEN p.details END AS INT) AS AAB119,
       CASE WHEN p.bases_differ THEN p.bases END AS AAB120,
       CASE WHEN p.unit_bases_differ THEN p.unit_bases END AS AAB121,
       CASE WHEN p.unit_differs THEN p.unit_part END AS AAB150,
       CASE WHEN p.person_differs THEN p.person_part END AS AAB152,
       CASE WHEN p.due_differs THEN p.due END AS AAB156,
       CASE WHEN abs(p.arrived_total - p.arrived_sum) <= $tolerance THEN 'A1' END AS _repair,
       concat('台账应缴', coalesce(CAST(p.AAB156 AS VARCHAR), '空'), '，明细合计', CAST(p.due AS VARCHAR),
              '；到账', coalesce(CAST(p.arrived_total AS VARCHAR), '不明'), '，到账明细合计', CAST(p.arrived_sum AS VARCHAR),
              CASE WHEN p.AAB191 IS NOT NULL THEN concat('；到账日期', CAST(p.AAB191 AS VARCHAR)) ELSE '' END,
              CASE WHEN p.AAD009 <> '' THEN concat('；凭证', p.AAD009) ELSE '' END) AS _evidence,
       concat(CAST(p.AAB001 AS VARCHAR), ' ', p.AAE140, ' ', CAST(p.AAE002 AS VARCHAR)) AS _group
FROM pair AS p
WHERE p.persons_differ OR p.bases_differ OR p.unit_bases_differ OR p.unit_differs OR p.person_differs OR p.due_differs
