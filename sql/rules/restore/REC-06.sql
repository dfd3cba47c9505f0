-- id: REC-06
-- title: 单位已终止或注销，但有在职参保人员或欠费 / a unit ended or cancelled with active members or arrears
-- advice: 核对市监、税务状态：仍存续的恢复为暂停并封存；确已注销的先处理人员和欠费 /
--    compare with the market register and tax: who still exists is restored as paused and frozen; who is gone settles members and arrears first
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 市监、税务状态
-- basis: reference 5.2 REC-06, 9.3
-- table: AB02
-- column: AAB051
-- touches: AAB051, AAE121
-- effect: change
-- among: AAE140 IN ('110', '210')
WITH
member AS (
    SELECT c.AAB001, c.AAE140, count(*) AS members
    FROM AC20 AS c
    -- Where nothing was ever paid the spell itself is wrong: GAR-06.
    LEFT JOIN dead_unit_spell AS d ON d.spell_key = c._key
    WHERE c.AAC031 = '1' AND d.AAZ157 IS NULL
    GROUP BY c.AAB001, c.AAE140
),
arrears AS (
    SELECT x.AAB001, x.AAE140, sum(x.rows) AS rows
    FROM (
        SELECT q.AAB001, q.AAE140, 1 AS rows FROM AD23 AS q
        WHERE coalesce(q.AAB165, '0') <> '4' AND coalesce(q.AAE020, 0) + coalesce(q.AAE022, 0) > 0
        UNION ALL
        SELECT p.AAB001, p.AAE140, p.owed FROM person_unit_paid AS p WHERE p.owed > 0
        UNION ALL
        -- The ledger has no word for what was written off: the arrears table says so.
        SELECT l.AAB001, l.AAE140, 1
        FROM AB07 AS l
        LEFT JOIN (SELECT DISTINCT w.AAB001, w.AAE140, w.AAE003 FROM AD23 AS w WHERE w.AAB165 = '4') AS f
               ON f.AAB001 = l.AAB001 AND f.AAE140 = l.AAE140 AND f.AAE003 = l.AAE003
        WHERE l.AAB165 = '0' AND l.AAB156 > 0 AND f.AAB001 IS NULL
    ) AS x
    GROUP BY x.AAB001, x.AAE140
),
gone AS (
    SELECT g.AAB001 FROM AB01 AS g WHERE g.AAE119 IN ('2', '3')
    UNION
    SELECT s.AAB001 FROM W_UNIT_STATE AS s WHERE s.YWS001 = '1' OR s.YWS002 = '1'
)
SELECT u._key, '2' AS AAB051, '1' AS AAE121,
       concat_ws('；', CASE WHEN m.members > 0 THEN concat('在保人员', CAST(m.members AS VARCHAR), '人') END,
                       CASE WHEN a.rows > 0 THEN '有未处理欠费' END) AS _evidence,
       m.members AS _score
FROM AB02 AS u
LEFT JOIN gone AS g ON g.AAB001 = u.AAB001
LEFT JOIN member AS m ON m.AAB001 = u.AAB001 AND m.AAE140 = u.AAE140
LEFT JOIN arrears AS a ON a.AAB001 = u.AAB001 AND a.AAE140 = u.AAE140
WHERE u.AAE140 IN ('110', '210') AND (u.AAB051 = '3' OR g.AAB001 IS NOT NULL)
  -- Restored and frozen already: it waits for the members.
  AND NOT (u.AAB051 = '2' AND coalesce(u.AAE121, '0') = '1')
  AND (m.members > 0 OR a.rows > 0)
