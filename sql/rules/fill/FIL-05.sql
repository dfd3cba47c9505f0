-- id: FIL-05
-- title: 参加工作日期为空 / date of the first job is empty
-- advice: 候选值为首次参保或首次缴费月，须查阅档案由养老科认定，系统不自动填写 /
--    the first month insured or paid is a candidate; the archive decides, and no rule writes this date
-- severity: E
-- repair: V
-- department: 养老
-- evidence: 档案
-- basis: reference 5.4 FIL-05, 4.8; INV-06
-- table: AC01
-- column: AAC007
-- effect: none
SELECT p._key,
       -- The candidate stands in the evidence only: INV-06 lets no rule change this date, an approved correction may.
       COALESCE('候选年月：' || CAST(LEAST(m.first_month, r.first_month) AS VARCHAR), '无参保、缴费记录可参考')
         || CASE WHEN v.AAC001 IS NOT NULL THEN '；有视同缴费经历' ELSE '' END AS _evidence
FROM AC01 AS p
LEFT JOIN (SELECT f.AAC001 AS AAC001, min(f.first_month) AS first_month FROM first_payment AS f GROUP BY f.AAC001) AS m ON m.AAC001 = p.AAC001
LEFT JOIN (
  SELECT c.AAC001 AS AAC001, min(LEAST(c.AAC049, date_period(c.AAC030))) AS first_month
  FROM AC02 AS c WHERE c.AAE140 IN ('110', '210') GROUP BY c.AAC001
) AS r ON r.AAC001 = p.AAC001
LEFT JOIN (SELECT DISTINCT g.AAC001 AS AAC001 FROM AC31_GZJL AS g) AS v ON v.AAC001 = p.AAC001
-- 1900-01-01 and the like stand for empty.
WHERE p.AAC007 IS NULL OR p.AAC007 <= DATE '1900-01-01'
