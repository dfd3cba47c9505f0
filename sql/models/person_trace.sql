-- row: a person number that occurs beyond AC01: relations, details, arrived money, benefits, other rows
-- key: AAC001
SELECT t.AAC001,
       -- others: transfers, deemed service, an account with money. No insurance here, but no garbage either.
       sum(t.relations) AS relations, sum(t.details) AS details, sum(t.arrived) AS arrived, sum(t.benefits) AS benefits, sum(t.others) AS others
FROM (
    SELECT r.AAC001, 1 AS relations, 0 AS details, 0 AS arrived, 0 AS benefits, 0 AS others FROM AC02 AS r
    UNION ALL
    SELECT s.AAC001, 1, 0, 0, 0, 0 FROM AC20 AS s
    UNION ALL
    SELECT d.AAC001, 0, d.details, d.arrived, 0, 0 FROM person_unit_paid AS d
    UNION ALL
    SELECT i.AAC001, 0, 0, 0, 1, 0 FROM IC10 AS i
    UNION ALL
    SELECT b.AAC001, 0, 0, 0, 1, 0 FROM AC60 AS b
    UNION ALL
    SELECT c.AAC001, 0, 0, 0, 1, 0 FROM AC82 AS c
    UNION ALL
    SELECT j.AAC001, 0, 0, 0, 1, 0 FROM JC20 AS j
    UNION ALL
    SELECT a.AAC001, 0, 0, 0, 0, 1 FROM AC50 AS a WHERE a.AAE240 <> 0 OR a.AAE238 <> 0
    UNION ALL
    SELECT l.AAC001, 0, 0, 0, 0, 1 FROM IC89 AS l
    UNION ALL
    SELECT g.AAC001, 0, 0, 0, 0, 1 FROM AC31_GZJL AS g
) AS t
WHERE t.AAC001 IS NOT NULL
GROUP BY t.AAC001
