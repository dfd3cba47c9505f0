-- id: FIL-10
-- title: 用工形式、参保身份或农民工标识为空 / form of employment, insured status or migrant mark is empty
-- advice: 按统一规则批量补录 / filled by the uniform rule in a batch
-- severity: E
-- repair: A1
-- department: 经办
-- evidence: 统一规则
-- basis: reference 5.4 FIL-10, 2.19, 4.11; ref_uniform_values
-- table: AC01
-- column: AAC013
-- touches: AAC013, AAC028
-- effect: change
SELECT p._key,
       CASE WHEN btrim(COALESCE(p.AAC013, '')) = '' THEN u.value END AS AAC013,
       -- A rural household makes a migrant worker (XA), a town household makes none; anything else is for the employer to say.
       CASE WHEN btrim(COALESCE(p.AAC028, '')) = '' AND p.AAC009 = '20' THEN '1'
            WHEN btrim(COALESCE(p.AAC028, '')) = '' AND p.AAC009 IN ('10', '11') THEN '0' END AS AAC028,
       '统一规则' AS _evidence
FROM AC01 AS p
LEFT JOIN ref_uniform_values AS u ON u."rule" = 'FIL-10' AND u."column" = 'AAC013' AND u.standing <> 'proposed'
WHERE btrim(COALESCE(p.AAC013, '')) = '' AND u.value IS NOT NULL
   OR btrim(COALESCE(p.AAC028, '')) = '' AND p.AAC009 IN ('10', '11', '20')
