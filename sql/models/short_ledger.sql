-- row: a row of the unit ledger whose details are missing, all or some of them, with what is left of them
-- key: YAE518
-- params: tolerance = 0.05
SELECT
    -- Fewer details than persons, and their money short: a part of them is lost (3.19); everything else that differs is LED-01. A reversal, and
    -- what it reverses, needs no details of its own.
    l.YAE518, min(l._key) AS ledger_key, min(l.AAB001) AS AAB001, min(l.AAE140) AS AAE140, min(l.AAE002) AS AAE002, min(l.AAE003) AS AAE003,
    max(l.AAB119) AS persons, max(u.details) AS details
FROM AB07 AS l
LEFT JOIN unit_details AS u
       ON u.AAB001 = l.AAB001 AND u.AAE140 = l.AAE140 AND u.AAE002 = l.AAE002 AND u.AAE003 = l.AAE003
      AND u.AAA115 = l.AAA115 AND u.AAC084 = coalesce(l.AAC084, '0')
WHERE l.AAE140 IN ('110', '210') AND (l.AAB119 > 0 OR l.AAB156 <> 0)
  AND l.AAE002 IS NOT NULL AND l.AAE003 IS NOT NULL AND l.AAA115 IS NOT NULL AND l.YAE848 IS NULL
  AND EXISTS (SELECT 1 FROM AB01 AS b WHERE b.AAB001 = l.AAB001)
  AND NOT EXISTS (SELECT 1 FROM AB07 AS r WHERE r.YAE848 = l.YAE518)
  AND (u.details IS NULL
       OR (u.details < l.AAB119 AND abs(coalesce(l.AAB150, 0) + coalesce(l.AAB152, 0)) > abs(u.unit_part + u.person_part) + $tolerance))
GROUP BY l.YAE518
