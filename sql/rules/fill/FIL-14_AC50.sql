-- id: FIL-14
-- title: 首次参保或建账年月为空 / first insured month or account month is empty
-- advice: 由账户收入和缴费明细自动取得 / taken from the account's income and the payments in the same run
-- severity: E
-- repair: A0
-- department: 养老
-- evidence: 账户收入、缴费明细
-- basis: reference 5.4 FIL-14, 4.8: accounts begin with 1995-07
-- table: AC50
-- column: AAE206
-- touches: AAE206
-- effect: change
-- params: begin = 199507
SELECT a._key,
       CASE WHEN LEAST(i.first_month, m.account_month) < $begin THEN $begin ELSE LEAST(i.first_month, m.account_month) END AS AAE206,
       '账户收入、缴费明细' AS _evidence
FROM AC50 AS a
LEFT JOIN (SELECT c.AAZ116 AS AAZ116, min(c.AAE003) AS first_month FROM AC53 AS c GROUP BY c.AAZ116) AS i ON i.AAZ116 = a.AAZ116
LEFT JOIN first_payment AS m ON m.AAC001 = a.AAC001 AND m.AAE140 = '110'
WHERE a.AAE206 IS NULL AND (i.first_month IS NOT NULL OR m.account_month IS NOT NULL)
