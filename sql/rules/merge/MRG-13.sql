-- id: MRG-13
-- title: 待合并人员姓名和证件号码均变更过（双改） / person to be merged whose name and ID were both changed
-- advice: 两人核查变更档案，审计内控科复核，上报省局后才能合并 / two people examine the file of the change, audit reviews it; merge only after the province's answer
-- severity: E
-- repair: P
-- department: 审计
-- evidence: 变更档案
-- basis: reference 5.7 (CQ)
-- table: AC01
-- column: AAC147
-- effect: none
-- decided: twice
-- among: AAC147 IS NOT NULL
WITH
-- Numbers that MRG-01, MRG-02 or MRG-06 would merge. Which of them survives is no protection: all of a group are named.
merging AS (
    SELECT s.person_key, s.AAC001, s.cluster_survivor AS home
    FROM (
        SELECT m.person_key, m.AAC001, m.cluster_survivor, count(*) OVER (PARTITION BY m.cluster_survivor) AS numbers
        FROM person_same_id AS m
    ) AS s
    WHERE s.numbers > 1
    UNION
    SELECT b.person_key, b.AAC001, CAST(b.home AS VARCHAR)
    FROM person_by_id AS b
    JOIN (SELECT DISTINCT u.home FROM person_by_id AS u WHERE u.home <> u.AAC001) AS h ON h.home = b.home
),
hit AS (
    SELECT m.person_key, min(m.home) AS home
    FROM merging AS m
    JOIN person_double_change AS c ON c.AAC001 = m.AAC001
    GROUP BY m.person_key
)
SELECT h.person_key AS _key, h.home AS _group
FROM hit AS h
