-- id: TOT-06
-- title: 参保人员（按参保状态） / Persons by state
-- about: 参保关系数：每人每险种一条 / one relation a person and insurance
-- columns: insurance = 险种 / Insurance; state [AC02.AAC008] = 参保状态 / State; relations = 参保关系（人） / Persons
SELECT coalesce(r.AAE140, '') AS insurance, coalesce(r.AAC008, '') AS state, count(*) AS relations
FROM AC02 AS r
GROUP BY coalesce(r.AAE140, ''), coalesce(r.AAC008, '')
