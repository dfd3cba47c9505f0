-- id: REC-07
-- title: 单位终止但无破产、注销、合并原因，职工关系未处理 / a unit ended without bankruptcy, cancellation or merger, its members still open
-- advice: 查市监登记：无注销依据的恢复为暂停并封存，职工关系随单位处理 /
--    look into the market register; without a basis the unit is restored as paused and frozen, and its members with it
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 市监登记
-- basis: reference 5.2 REC-07, 9.3
-- table: AB02
-- column: AAB051
-- touches: AAB051, AAE121
-- effect: change
-- among: AAB051 = '3' AND AAE140 IN ('110', '210')
-- params: reasons = '破产|注销|合并|兼并|分立|撤销|吊销|解散|转出'
WITH
-- The unit's state stands in AB01, the freeze in AB02 (9.3): so the finding is made here.
reason AS (
    SELECT b.AAB001 FROM AB01 AS b WHERE b.AAE119 IN ('2', '3')
    UNION
    SELECT s.AAB001 FROM W_UNIT_STATE AS s WHERE s.YWS001 = '1' OR s.YWS002 = '1' OR regexp_like(s.YWS004, $reasons)
    UNION
    -- Merged, split, bankrupt, transferred as a whole.
    SELECT e.AAB001 FROM AB05 AS e WHERE e.AAB100 IN ('2', '3', '4', '5')
),
still AS (
    SELECT c.AAB001, c.AAE140, count(*) AS members
    FROM AC20 AS c
    LEFT JOIN dead_unit_spell AS d ON d.spell_key = c._key
    WHERE c.AAC031 IN ('1', '2') AND c.AAE042 IS NULL AND d.AAZ157 IS NULL
    GROUP BY c.AAB001, c.AAE140
)
SELECT u._key, '2' AS AAB051, '1' AS AAE121,
       concat('无破产、注销、合并原因，未处理职工', CAST(m.members AS VARCHAR), '人') AS _evidence, m.members AS _score
FROM AB02 AS u
JOIN still AS m ON m.AAB001 = u.AAB001 AND m.AAE140 = u.AAE140
LEFT JOIN reason AS r ON r.AAB001 = u.AAB001
WHERE u.AAB051 = '3' AND u.AAE140 IN ('110', '210') AND r.AAB001 IS NULL
  AND coalesce(regexp_like(u.AAE013, $reasons), false) = false
