-- id: LOG-07
-- title: 企业养老与机关养老同时参保，或同时领取居民养老 / enterprise pension active beside public-institution pension or residents' benefit
-- advice: 核对两边关系，只保留一个；居民养老待遇先停发，上报省局 / keep one relation only; stop the residents' benefit, report to the province
-- severity: E
-- repair: P
-- department: 养老
-- evidence: 机关养老、居保共享数据
-- basis: reference 5.6 (XA)
-- table: AC02
-- column: AAC008
-- effect: none
-- among: AAE140 = '110' AND AAC008 = '1'
WITH
-- A number of the unemployment system counts for the pension number of the same person.
other AS (
    SELECT b.home, max(x.public) AS public, max(x.resident) AS resident
    FROM (
        SELECT r.AAC001, 1 AS public, 0 AS resident
        FROM AC02 AS r
        WHERE r.AAE140 = '120' AND r.AAC008 = '1'
        UNION ALL
        SELECT t.AAC001, 0, 1
        FROM AC60 AS t
        WHERE t.AAE140 = '170' AND t.AAE116 = '1'
    ) AS x
    JOIN person_by_id AS b ON b.AAC001 = x.AAC001
    GROUP BY b.home
)
SELECT r._key, min(CAST(b.home AS VARCHAR)) AS _group,
       min(concat(CASE WHEN o.public = 1 THEN '机关养老正常参保' ELSE '' END,
              CASE WHEN o.public = 1 AND o.resident = 1 THEN '、' ELSE '' END,
              CASE WHEN o.resident = 1 THEN '正在领取居民养老待遇' ELSE '' END)) AS _evidence
FROM AC02 AS r
JOIN person_by_id AS b ON b.AAC001 = r.AAC001
JOIN other AS o ON o.home = b.home
WHERE r.AAE140 = '110' AND r.AAC008 = '1'
GROUP BY r._key
