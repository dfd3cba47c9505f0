-- row: a person, a unit and an insurance with rows in AC43: what arrived, what was refunded, what is owed
-- key: AAC001, AAB001, AAE140
SELECT d.AAC001, d.AAB001, d.AAE140,
       count(*) AS details,
       -- Also what was reversed later: money that once came is a trace of a real person or unit.
       count(*) FILTER (WHERE d.AAE078 = '1') AS arrived,
       count(*) FILTER (WHERE d.AAE078 = '1' AND d.AAA115 <> '20') AS paid,
       count(*) FILTER (WHERE d.AAA115 = '20' AND coalesce(d.AAE017, '0') <> '1') AS refunds,
       -- Written-off rows (AAB165 4) are owed no more.
       count(*) FILTER (WHERE d.AAE078 = '0' AND d.AAA115 <> '20' AND coalesce(d.AAB165, '0') <> '4' AND coalesce(d.AAE017, '0') <> '1') AS owed,
       max(d.AAE003) FILTER (WHERE d.AAE078 = '0' AND d.AAA115 <> '20' AND coalesce(d.AAB165, '0') <> '4' AND coalesce(d.AAE017, '0') <> '1') AS last_owed
FROM AC43 AS d
GROUP BY d.AAC001, d.AAB001, d.AAE140
