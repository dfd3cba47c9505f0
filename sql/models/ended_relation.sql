-- row: a relation whose latest spell has ended for good, with what speaks for and against that end
-- key: AAZ159
WITH
-- recorded: an event of the business within a month of the end; NULL where the city has no events of this insurance or the end has no month.
-- transferred: NULL where the city has no outgoing transfers of this insurance.
-- kind: what the reason of the end is worth (2.17); said: what the events say. settled: paid out, never to be restored (REC-11).
-- Spells at dead units that were never paid are GAR-06's, not to be restored.
spell AS (
    SELECT c.AAZ157, c._key AS spell_key, c.AAZ159, c.AAC001, c.AAB001, c.AAE140, c.AAC031, c.AAE042, c.AAE160, c.AAC084,
           row_number() OVER (PARTITION BY c.AAZ159 ORDER BY (c.AAE042 IS NULL) DESC, c.AAE041 DESC NULLS LAST, c.AAZ157 DESC) AS nth
    FROM AC20 AS c
    WHERE c.AAE140 IN ('110', '210') AND c.AAZ159 IS NOT NULL
),
relation AS (
    SELECT r.AAZ159, min(r._key) AS relation_key, min(r.AAC008) AS AAC008
    FROM AC02 AS r
    WHERE r.AAZ159 IS NOT NULL
    GROUP BY r.AAZ159
),
-- Dead or retired under any number of the person; without a date only here.
gone AS (
    SELECT g.AAC001, max(g.died) AS died, max(g.retired) AS retired
    FROM (
        SELECT s.AAC001, CASE WHEN s.died IS NOT NULL THEN 1 ELSE 0 END AS died, CASE WHEN s.retired IS NOT NULL THEN 1 ELSE 0 END AS retired
        FROM person_state AS s
        UNION ALL
        SELECT p.AAC001, CASE WHEN p.AAC060 = '2' THEN 1 ELSE 0 END, CASE WHEN p.AAC084 = '1' THEN 1 ELSE 0 END FROM AC01 AS p
        WHERE p.AAC060 = '2' OR p.AAC084 = '1'
        UNION ALL
        SELECT i.AAC001, 0, 1 FROM IC10 AS i
        UNION ALL
        SELECT b.AAC001, 0, 1 FROM AC60 AS b WHERE b.AAE140 = '110'
    ) AS g
    GROUP BY g.AAC001
),
ended AS (
    SELECT s.AAZ159, s.AAZ157, s.spell_key, r.relation_key, s.AAC001, s.AAB001, s.AAE140, s.AAE042 AS ended,
           coalesce(s.AAE160, w.reason) AS reason, w.reason AS written_reason, w.operator, w.written,
           coalesce(g.died, 0) = 1 AS died, coalesce(g.retired, 0) = 1 OR coalesce(s.AAC084, '0') = '1' AS retired
    FROM spell AS s
    JOIN relation AS r ON r.AAZ159 = s.AAZ159
    LEFT JOIN gone AS g ON g.AAC001 = s.AAC001
    LEFT JOIN dead_unit_spell AS d ON d.spell_key = s.spell_key
    LEFT JOIN (
        SELECT t.AAZ157, min(t.YWT001) AS reason, min(t.YWT002) AS operator, min(t.YWT003) AS written
        FROM W_TERMINATION AS t
        GROUP BY t.AAZ157
    ) AS w ON w.AAZ157 = s.AAZ157
    WHERE s.nth = 1 AND s.AAC031 = '3' AND coalesce(r.AAC008, '4') = '4' AND d.AAZ157 IS NULL
),
event AS (
    SELECT e.AAC001, e.AAE140, e.AAE160, coalesce(date_period(e.AAE035), e.AAE002, date_period(CAST(e.AAE036 AS DATE))) AS month
    FROM AC05 AS e
    -- Beginnings say nothing about an end, cancelled events nothing at all.
    WHERE coalesce(e.AAC050, '21') NOT IN ('11', '12') AND coalesce(e.YAE120, '0') <> '1'
),
logged AS (SELECT DISTINCT e.AAE140 FROM AC05 AS e),
near AS (
    SELECT n.AAZ159, count(*) AS events,
           max(CASE WHEN k.kind = 'transfer' THEN 1 ELSE 0 END) AS transfer,
           max(CASE WHEN k.kind IN ('final', 'death', 'transfer', 'cleanup', 'retire') THEN 1 ELSE 0 END) AS final
    FROM ended AS n
    JOIN event AS e ON e.AAC001 = n.AAC001 AND e.AAE140 = n.AAE140
    LEFT JOIN ref_termination_reasons AS k ON k.AAE160 = e.AAE160
    -- An event without a month may be the one.
    WHERE e.month IS NULL OR months(n.ended, e.month) BETWEEN -1 AND 1
    GROUP BY n.AAZ159
),
left_for AS (
    SELECT DISTINCT x.AAC001, x.AAE140
    FROM (
        SELECT l.AAC001, l.AAE140 FROM IC89 AS l WHERE l.AAC070 = '2'
        UNION ALL
        SELECT j.AAC001, '210' FROM JC12 AS j
    ) AS x
    WHERE x.AAC001 IS NOT NULL
),
account AS (
    SELECT a.AAC001, sum(a.AAE240) AS balance,
           sum(coalesce(o.paid_out, 0)) + sum(coalesce(a.AAE357, 0)) AS paid_out
    FROM AC50 AS a
    LEFT JOIN (
        SELECT e.AAZ116, sum(e.AAE058) AS paid_out FROM AC55 AS e GROUP BY e.AAZ116
    ) AS o ON o.AAZ116 = a.AAZ116
    GROUP BY a.AAC001
)
SELECT n.AAZ159, n.AAZ157, n.spell_key, n.relation_key, n.AAC001, n.AAB001, n.AAE140, n.ended, n.reason, k.kind,
       n.written_reason, n.operator, n.written, n.died, n.retired,
       CASE WHEN y.AAE140 IS NOT NULL AND n.ended IS NOT NULL THEN coalesce(v.events, 0) > 0 END AS recorded,
       coalesce(v.transfer, 0) = 1 AS said_transfer, coalesce(v.final, 0) = 1 AS said_final,
       CASE WHEN o.AAE140 IS NOT NULL THEN l.AAC001 IS NOT NULL END AS transferred,
       a.balance, n.AAE140 = '110' AND coalesce(a.paid_out, 0) <> 0 AS settled
FROM ended AS n
LEFT JOIN ref_termination_reasons AS k ON k.AAE160 = n.reason
LEFT JOIN logged AS y ON y.AAE140 = n.AAE140
LEFT JOIN near AS v ON v.AAZ159 = n.AAZ159
LEFT JOIN left_for AS l ON l.AAC001 = n.AAC001 AND l.AAE140 = n.AAE140
LEFT JOIN (SELECT DISTINCT f.AAE140 FROM left_for AS f) AS o ON o.AAE140 = n.AAE140
LEFT JOIN account AS a ON a.AAC001 = n.AAC001
