-- id: FIL-08
-- title: 联系地址为空 / address is empty
-- advice: 批量采用最近参保单位的地址并注明来源；无单位的联系本人 / the address of the latest unit is taken in a batch and marked as such; else the person is asked
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 单位地址
-- basis: reference 5.4 FIL-08
-- table: AC01
-- column: AAE006
-- touches: AAE006
-- effect: change
-- params: transfer = '99999999', least = 8, fits = 150
SELECT p._key, a.address AS AAE006, CASE WHEN a.address IS NOT NULL THEN 'A1' END AS _repair,
       CASE WHEN a.address IS NOT NULL THEN '取自最近参保单位地址' END AS _evidence
FROM AC01 AS p
LEFT JOIN (
  SELECT l.AAC001 AS AAC001, l.address AS address
  FROM (
    SELECT s.AAC001 AS AAC001, btrim(u.AAE006) AS address,
           -- An open spell comes first, then the one that ended or began last.
           row_number() OVER (PARTITION BY s.AAC001 ORDER BY COALESCE(s.AAE042, 999912) DESC, s.AAE041 DESC NULLS LAST, s.AAZ157) AS rank
    FROM AC20 AS s
    JOIN AC01 AS e ON e.AAC001 = s.AAC001 AND btrim(COALESCE(e.AAE006, '')) = ''
    JOIN AB01 AS u ON u.AAB001 = s.AAB001
    -- The number for transfers and the window of flexible workers are no employers.
    WHERE s.AAE140 IN ('110', '210') AND u.AAB999 <> $transfer
      AND NOT (COALESCE(u.AAB019, '') = '99' AND (COALESCE(u.AAB020, '') = '900' OR COALESCE(u.AAB065, '') = '2'))
      AND character_length(btrim(u.AAE006)) >= $least AND character_length(btrim(u.AAE006)) <= $fits
  ) AS l
  WHERE l.rank = 1
) AS a ON a.AAC001 = p.AAC001
WHERE btrim(COALESCE(p.AAE006, '')) = ''
