-- id: MRG-03
-- title: 同一证件号码登记在不同的人名下 / one ID under different people
-- advice: 不得合并；请公安出具重号证明或更正号码，并上报省局 / never merge; the police certify the duplicate number or correct it, report to the province
-- severity: B
-- repair: P
-- department: 经办
-- evidence: 公安重号证明
-- basis: reference 5.7
-- table: AC01
-- column: AAC147
-- effect: none
-- among: AAC147 IS NOT NULL
WITH
-- The one whom the police have confirmed is not in question, unless they confirmed two.
member AS (
    SELECT s.person_key, s.id_survivor, s.cluster,
           min(CASE WHEN s.confirmed THEN s.cluster END) OVER (PARTITION BY s.id, s.side) AS confirmed_first,
           max(CASE WHEN s.confirmed THEN s.cluster END) OVER (PARTITION BY s.id, s.side) AS confirmed_last,
           coalesce(min(s.sex) OVER (PARTITION BY s.id, s.side) <> max(s.sex) OVER (PARTITION BY s.id, s.side), false) AS sexes,
           coalesce(min(s.birth) OVER (PARTITION BY s.id, s.side) <> max(s.birth) OVER (PARTITION BY s.id, s.side), false) AS births
    FROM person_same_id AS s
    WHERE s.several_people
)
SELECT m.person_key AS _key, m.id_survivor AS _group,
       concat('姓名不一致', CASE WHEN m.sexes THEN '、性别不一致' ELSE '' END, CASE WHEN m.births THEN '、出生日期不一致' ELSE '' END) AS _evidence
FROM member AS m
WHERE NOT coalesce(m.confirmed_first = m.confirmed_last AND m.cluster = m.confirmed_first, false)
