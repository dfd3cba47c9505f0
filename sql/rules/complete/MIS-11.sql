-- id: MIS-11
-- title: 转入有基金额、无历年缴费明细 / a transfer in with a fund amount and no yearly detail
-- advice: 向转出地索取参保缴费信息表 / ask the place that it came from for the payment sheet
-- severity: E
-- repair: V
-- department: 养老
-- evidence: 基本养老保险信息表
-- basis: reference 5.5
-- table: IC90
-- column: AIC102
-- effect: none
-- among: AIC102 > 0 OR AIC083 > 0 OR AIC084 > 0
SELECT f._key, min(concat('转移基金总额', coalesce(CAST(f.AIC102 AS VARCHAR), '空'), '，账户', coalesce(CAST(f.AIC083 AS VARCHAR), '空'))) AS _evidence
FROM IC90 AS f
WHERE (f.AIC102 > 0 OR f.AIC083 > 0 OR f.AIC084 > 0)
  AND EXISTS (SELECT 1 FROM IC89 AS t WHERE t.AAE270 = f.AAE270 AND t.AAC070 = '1' AND t.AAE140 = '110')
  AND NOT EXISTS (SELECT 1 FROM IC91 AS y WHERE y.AAE270 = f.AAE270)
GROUP BY f._key
