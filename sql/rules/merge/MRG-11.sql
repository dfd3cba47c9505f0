-- id: MRG-11
-- title: 与外地重复参保 / also insured in another city
-- advice: 本地重复处理完后上报省局，由省平台协调转移接续 / report to the province after the local duplicates are settled; it arranges the transfer
-- severity: E
-- repair: P
-- department: 经办
-- evidence: 省平台
-- basis: reference 5.7
-- table: AC01
-- column: AAC147
-- effect: none
-- among: AAC147 IS NOT NULL
-- needs: ext_province_duplicate
WITH elsewhere AS (
    SELECT upper(btrim(half_width(x.id))) AS id, x.AAE140, count(DISTINCT x.region) AS pools,
           max(CASE WHEN x.benefit = '1' THEN 1 ELSE 0 END) AS drawing, min(x.region) AS region
    FROM ext_province_duplicate AS x
    -- An ended relation is no double one, unless a benefit is drawn from it.
    WHERE x.id <> '' AND x.AAE140 IN ('110', '210') AND (coalesce(x.AAC008, '1') <> '4' OR x.benefit = '1')
    GROUP BY upper(btrim(half_width(x.id))), x.AAE140
),
here AS (
    SELECT DISTINCT r.AAC001, r.AAE140
    FROM AC02 AS r
    WHERE r.AAC008 IS NULL OR r.AAC008 <> '4'
),
both AS (
    SELECT b.person_key, min(e.region) AS region, max(e.pools) AS pools, max(e.drawing) AS drawing,
           string_agg(e.AAE140, '、' ORDER BY e.AAE140) AS insurances
    FROM person_by_id AS b
    JOIN elsewhere AS e ON e.id = b.id
    JOIN here AS h ON h.AAC001 = b.AAC001 AND h.AAE140 = e.AAE140
    WHERE b.sound
    GROUP BY b.person_key
)
SELECT x.person_key AS _key,
       concat('险种', x.insurances, '，外地', x.region, CASE WHEN x.pools > 1 THEN concat('等', CAST(x.pools AS VARCHAR), '地') ELSE '' END,
              CASE WHEN x.drawing = 1 THEN '，正在领取待遇' ELSE '' END,
              CASE WHEN l.AAC001 IS NOT NULL THEN '，本地另有重复编号' ELSE '' END) AS _evidence,
       -- First the local duplicates, then the others: who has none can be reported now.
       CAST(CASE WHEN l.AAC001 IS NULL THEN 1 ELSE 0 END + CASE WHEN x.drawing = 1 THEN 2 ELSE 0 END AS BIGINT) AS _score
FROM both AS x
LEFT JOIN person_same_id AS l ON l.person_key = x.person_key
