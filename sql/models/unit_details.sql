-- row: the payment details that belong to one row of the unit ledger, summed up (arrived and owed)
-- key: AAB001, AAE140, AAE002, AAE003, AAA115, AAC084
SELECT
    -- Transfers and late records (YAA115 3, 4; type 90) stand in no ledger. A detail without person or unit is MIS-01 or MIS-02 and counts
    -- when that is decided. Many cities kept AAC084 on the ledger only: an empty one is a member in work.
    d.AAB001, d.AAE140, d.AAE002, d.AAE003, d.AAA115, coalesce(d.AAC084, '0') AS AAC084,
    count(*) AS details,
    min(d.AAZ223) AS first_detail,
    sum(d.AAC040) AS wages,
    sum(d.AAE180) AS bases,
    -- Only where every detail has a base of its own for the unit.
    CASE WHEN count(d.BAE180) = count(*) THEN sum(d.BAE180) END AS unit_bases,
    sum(coalesce(d.AAE020, 0)) AS unit_part,
    sum(coalesce(d.AAE022, 0)) AS person_part,
    sum(coalesce(d.AAE239, 0)) AS interest,
    count(*) FILTER (WHERE d.AAE078 = '1') AS arrived,
    sum(CASE WHEN d.AAE078 = '1' THEN coalesce(d.AAE020, 0) + coalesce(d.AAE022, 0) ELSE 0 END) AS arrived_sum,
    max(d.AAB191) AS last_arrival
FROM AC43 AS d
WHERE d.AAE140 IN ('110', '210')
  AND coalesce(d.AAE017, '0') <> '1'
  AND d.AAE002 IS NOT NULL AND d.AAE003 IS NOT NULL AND d.AAA115 IS NOT NULL
  AND d.AAA115 <> '90' AND coalesce(d.YAA115, '0') NOT IN ('3', '4')
  AND EXISTS (SELECT 1 FROM AB01 AS u WHERE u.AAB001 = d.AAB001)
  AND EXISTS (SELECT 1 FROM AC01 AS p WHERE p.AAC001 = d.AAC001)
GROUP BY d.AAB001, d.AAE140, d.AAE002, d.AAE003, d.AAA115, coalesce(d.AAC084, '0')
