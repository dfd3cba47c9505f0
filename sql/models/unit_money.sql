-- row: a unit for which money has ever arrived, by details, ledger, collection slips or a credit balance
-- key: AAB001
SELECT m.AAB001
FROM (
    SELECT d.AAB001 FROM person_unit_paid AS d WHERE d.arrived > 0
    UNION ALL
    SELECT l.AAB001 FROM AB07 AS l WHERE l.AAB165 = '1' OR l.AAB191 IS NOT NULL OR l.YAD003 <> 0
    UNION ALL
    SELECT v.AAZ010 FROM AD21 AS v WHERE v.YAD003 <> 0
    UNION ALL
    SELECT c.AAZ010 FROM AE28 AS c WHERE c.AAA028 = '1' AND c.YAE080 <> 0
) AS m
WHERE m.AAB001 IS NOT NULL
GROUP BY m.AAB001
