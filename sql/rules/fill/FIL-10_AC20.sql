-- id: FIL-10
-- title: 用工形式、参保身份或农民工标识为空 / form of employment, insured status or migrant mark is empty
-- advice: 按单位类型和统一规则批量补录 / filled by the unit's type and the uniform rule in a batch
-- severity: E
-- repair: A1
-- department: 经办
-- evidence: 单位类型
-- basis: reference 5.4 FIL-10, 2.7, 2.18, 2.19; ref_uniform_values
-- table: AC20
-- column: AAC066
-- touches: AAC066, AAC013
-- effect: change
-- among: AAE140 IN ('110', '210')
WITH value AS (
  SELECT max(CASE WHEN f."column" = 'AAC066' THEN f.value END) AS status,
         max(CASE WHEN f."column" = 'AAC066:60' THEN f.value END) AS flexible,
         max(CASE WHEN f."column" = 'AAC013' THEN f.value END) AS form
  FROM ref_uniform_values AS f
  WHERE f."rule" = 'FIL-10' AND f.standing <> 'proposed'
)
SELECT s._key,
       CASE WHEN btrim(COALESCE(s.AAC066, '')) <> '' THEN NULL
            -- Individual businesses, and the window of flexible workers as TA3 sets it up (2.7).
            WHEN u.AAB019 = '60' OR u.AAB019 = '99' AND (COALESCE(u.AAB020, '') = '900' OR COALESCE(u.AAB065, '') = '2') THEN v.flexible
            WHEN btrim(COALESCE(u.AAB019, '')) <> '' THEN v.status END AS AAC066,
       CASE WHEN btrim(COALESCE(s.AAC013, '')) = '' THEN v.form END AS AAC013,
       '统一规则' AS _evidence
FROM AC20 AS s
CROSS JOIN value AS v
LEFT JOIN AB01 AS u ON u.AAB001 = s.AAB001
WHERE s.AAE140 IN ('110', '210')
  AND (btrim(COALESCE(s.AAC013, '')) = '' AND v.form IS NOT NULL
       -- A unit without a type decides nothing before FIL-11 has filled it.
       OR btrim(COALESCE(s.AAC066, '')) = '' AND btrim(COALESCE(u.AAB019, '')) <> '' AND v.status IS NOT NULL AND v.flexible IS NOT NULL)
