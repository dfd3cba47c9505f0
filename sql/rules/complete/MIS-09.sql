-- id: MIS-09
-- title: 有失业金发放、无失业登记 / unemployment benefits without a case
-- advice: 调失业档案补录登记和核定；无档案的按多发、冒领核查 / enter registration and decision from the file; where there is none, examine it as overpaid or claimed by another
-- severity: E
-- repair: V
-- department: 失业
-- evidence: 失业档案
-- basis: reference 5.5
-- table: AC82
-- column: AAC001
-- effect: none
-- among: AAE140 = '210' AND AAC001 IS NOT NULL
WITH
-- A case may stand under another number of the same person.
cases AS (
    SELECT DISTINCT b.home
    FROM JC20 AS c
    JOIN person_by_id AS b ON b.AAC001 = c.AAC001
)
SELECT DISTINCT x._key, CAST(x.AAC001 AS VARCHAR) AS _group
FROM AC82 AS x
JOIN person_by_id AS b ON b.AAC001 = x.AAC001
WHERE x.AAE140 = '210'
  AND NOT EXISTS (SELECT 1 FROM cases AS c WHERE c.home = b.home)
