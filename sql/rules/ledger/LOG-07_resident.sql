-- id: LOG-07
-- title: 企业养老与机关养老同时参保，或同时领取居民养老 / enterprise pension active beside public-institution pension or residents' benefit
-- advice: 核对两边关系，只保留一个；居民养老待遇先停发，上报省局 / keep one relation only; stop the residents' benefit, report to the province
-- severity: E
-- repair: P
-- department: 养老
-- evidence: 居保共享数据
-- basis: reference 5.6
-- table: AC02
-- column: AAC008
-- effect: none
-- among: AAE140 = '110' AND AAC008 = '1'
-- needs: ext_resident
WITH drawing AS (
    SELECT DISTINCT upper(btrim(half_width(x.id))) AS id
    FROM ext_resident AS x
    WHERE x.AAE140 = '170' AND x.benefit = '1' AND x.id <> ''
)
SELECT r._key, min(CAST(b.home AS VARCHAR)) AS _group, '居保共享数据：正在领取居民养老待遇' AS _evidence
FROM AC02 AS r
JOIN person_by_id AS b ON b.AAC001 = r.AAC001
JOIN drawing AS x ON x.id = b.id
-- What this database knows itself is found by LOG-07 alone.
LEFT JOIN (SELECT DISTINCT t.AAC001 FROM AC60 AS t WHERE t.AAE140 = '170' AND t.AAE116 = '1') AS own ON own.AAC001 = r.AAC001
WHERE r.AAE140 = '110' AND r.AAC008 = '1' AND b.sound AND own.AAC001 IS NULL
GROUP BY r._key
