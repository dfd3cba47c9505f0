-- id: FIL-14
-- title: 首次参保或建账年月为空 / first insured month or account month is empty
-- advice: 由参保关系、缴费明细和个人账户自动取得 / taken from relation, payments and account in the same run
-- severity: E
-- repair: A0
-- department: 养老
-- evidence: 参保关系、缴费明细、个人账户
-- basis: reference 5.4 FIL-14, 4.8: accounts begin with 1995-07
-- table: AC01
-- column: AAC049
-- touches: AAC049, AAE206
-- effect: change
-- params: begin = 199507
WITH relation AS (
  -- The relation's own month where it has one. 首次参保 is about the pension; who has none counts by unemployment insurance.
  SELECT r.AAC001 AS AAC001,
         min(CASE WHEN r.AAE140 = '110' THEN COALESCE(r.AAC049, m.first_month) END) AS pension,
         min(CASE WHEN r.AAE140 = '210' THEN COALESCE(r.AAC049, m.first_month) END) AS unemployment,
         min(CASE WHEN r.AAE140 = '110' THEN m.account_month END) AS account_month,
         max(CASE WHEN r.AAE140 = '110' THEN 1 ELSE 0 END) AS has_pension
  FROM AC02 AS r
  LEFT JOIN first_payment AS m ON m.AAC001 = r.AAC001 AND m.AAE140 = r.AAE140
  WHERE r.AAE140 IN ('110', '210')
  GROUP BY r.AAC001
), value AS (
  SELECT r.AAC001 AS AAC001,
         CASE WHEN r.has_pension = 1 THEN r.pension ELSE r.unemployment END AS first_month,
         CASE WHEN a.AAC001 IS NOT NULL
              THEN COALESCE(a.AAE206, CASE WHEN r.account_month < $begin THEN $begin ELSE r.account_month END) END AS account_month
  FROM relation AS r
  LEFT JOIN (SELECT c.AAC001 AS AAC001, min(c.AAE206) AS AAE206 FROM AC50 AS c GROUP BY c.AAC001) AS a ON a.AAC001 = r.AAC001
)
SELECT p._key,
       CASE WHEN p.AAC049 IS NULL THEN v.first_month END AS AAC049,
       CASE WHEN p.AAE206 IS NULL THEN v.account_month END AS AAE206,
       '参保关系、缴费明细、个人账户' AS _evidence
FROM AC01 AS p
JOIN value AS v ON v.AAC001 = p.AAC001
WHERE p.AAC049 IS NULL AND v.first_month IS NOT NULL OR p.AAE206 IS NULL AND v.account_month IS NOT NULL
