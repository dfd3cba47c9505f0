-- id: FIL-17
-- title: 离退休类别或日期为空 / retirement type or date is empty
-- advice: 凭退休审批表补录；候选值仅供核对 / entered from the approval form; a proposed date is a candidate only
-- severity: E
-- repair: V
-- department: 养老
-- evidence: 退休审批表
-- basis: reference 5.4 FIL-17, 1 T16: AAE210 is the month after AIC162
-- table: IC10
-- column: AIC161
-- touches: AIC162, AAE210
-- effect: change
SELECT i._key,
       CASE WHEN i.AIC162 IS NULL THEN p.AIC162 END AS AIC162,
       CASE WHEN i.AAE210 IS NULL THEN period_add(date_period(COALESCE(i.AIC162, p.AIC162)), 1) END AS AAE210,
       CASE WHEN i.AIC162 IS NULL AND p.AIC162 IS NOT NULL THEN '人员基本信息中的离退休日期'
            WHEN i.AAE210 IS NULL AND i.AIC162 IS NOT NULL THEN '离退休次月' END AS _evidence
FROM IC10 AS i
LEFT JOIN (SELECT q.AAC001 AS AAC001, min(q.AIC162) AS AIC162 FROM AC01 AS q GROUP BY q.AAC001) AS p ON p.AAC001 = i.AAC001
-- A date that is empty and has no candidate: the check of the structure finds it under this id.
WHERE btrim(COALESCE(i.AIC161, '')) = '' OR i.AIC162 IS NULL AND p.AIC162 IS NOT NULL
   OR i.AAE210 IS NULL AND COALESCE(i.AIC162, p.AIC162) IS NOT NULL
