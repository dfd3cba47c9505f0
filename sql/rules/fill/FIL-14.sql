-- id: FIL-14
-- title: 首次参保或建账年月为空 / first insured month or account month is empty
-- advice: 由缴费明细和个人账户自动取得 / taken from payments and account in the same run
-- severity: E
-- repair: A0
-- department: 养老
-- evidence: 缴费明细、个人账户
-- basis: reference 5.4 FIL-14, 4.8: accounts begin with 1995-07
-- table: AC02
-- column: AAC049
-- touches: AAC049, AAE206
-- effect: change
-- among: AAE140 IN ('110', '210')
-- params: begin = 199507
SELECT r._key,
       CASE WHEN r.AAC049 IS NULL THEN m.first_month END AS AAC049,
       -- The account's own month where it has one, else the first month that was credited.
       CASE WHEN r.AAE206 IS NULL AND r.AAE140 = '110' AND a.AAC001 IS NOT NULL
            THEN COALESCE(a.AAE206, CASE WHEN m.account_month < $begin THEN $begin ELSE m.account_month END) END AS AAE206,
       '缴费明细、个人账户' AS _evidence
FROM AC02 AS r
LEFT JOIN first_payment AS m ON m.AAC001 = r.AAC001 AND m.AAE140 = r.AAE140
LEFT JOIN (SELECT c.AAC001 AS AAC001, min(c.AAE206) AS AAE206 FROM AC50 AS c GROUP BY c.AAC001) AS a ON a.AAC001 = r.AAC001
WHERE r.AAE140 IN ('110', '210')
  AND (r.AAC049 IS NULL AND m.first_month IS NOT NULL
       OR r.AAE206 IS NULL AND r.AAE140 = '110' AND a.AAC001 IS NOT NULL AND (a.AAE206 IS NOT NULL OR m.account_month IS NOT NULL))
