-- id: MIS-07
-- title: 个人账户年度台账缺年度 / a year is missing in the account's yearly books
-- advice: 单缺一年且前后年度与到账明细能推出的批量补建，其余查账册 / one missing year that both neighbours and the payments reproduce is added in a batch; for others look in the books
-- severity: E
-- repair: V
-- department: 养老
-- evidence: 到账明细、账册
-- basis: reference 5.5, 4.9
-- table: AC51
-- column: AAE001
-- effect: none
-- among: AAE001 IS NOT NULL
WITH
-- What the payments reproduce is added by MIS-07_payments.
gap AS (SELECT g.* FROM account_gaps AS g WHERE g.variant IS NULL)
SELECT key_text(g.AAZ116, g.AAE001) AS _key,
       concat('缺', CAST(g.year_before + 1 AS VARCHAR), CASE WHEN g.missing > 1 THEN concat('至', CAST(g.AAE001 - 1 AS VARCHAR)) ELSE '' END, '年',
              '；上一年末余额', coalesce(CAST(g.balance_before AS VARCHAR), '空'),
              '，本年初余额', coalesce(CAST(g.balance_after AS VARCHAR), '空')) AS _evidence,
       CAST(g.AAZ116 AS VARCHAR) AS _group
FROM gap AS g
