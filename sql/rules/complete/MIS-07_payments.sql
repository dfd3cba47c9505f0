-- id: MIS-07
-- title: 个人账户年度台账缺年度 / a year is missing in the account's yearly books
-- advice: 单缺一年且前后年度与到账明细能推出的批量补建，其余查账册 / one missing year that both neighbours and the payments reproduce is added in a batch; for others look in the books
-- severity: E
-- repair: A1
-- department: 养老
-- evidence: 到账明细、公布的记账利率
-- basis: reference 5.5, 4.9
-- table: AC51
-- column: AAE001
-- adds: AC51
-- touches: AAZ116, AAE001, AAE252, AAE262, AAE264, AAE382
-- effect: add
-- among: AAE001 IS NOT NULL
WITH gap AS (SELECT g.* FROM account_gaps AS g WHERE g.variant IS NOT NULL)
SELECT key_text(g.AAZ116, g.AAE001) AS _key,
       g.AAZ116 AS AAZ116,
       g.AAE001 - 1 AS AAE001,
       g.balance_before AS AAE252,
       g.unit_credit AS AAE262,
       g.person_credit AS AAE264,
       g.balance_after AS AAE382,
       concat('前后年度余额与到账明细吻合；利率及计息口径 ', g.variant, '；利息', CAST(g.interest AS VARCHAR)) AS _evidence,
       CAST(g.AAZ116 AS VARCHAR) AS _group
FROM gap AS g
