-- id: FIX-12
-- title: 参保、参工日期次序颠倒或晚于抽取日 / dates of first job and insurance out of order, or later than the extract
-- advice: 对照缴费历史和档案核定后更正 / decided from the payment history and the archive
-- severity: E
-- repair: V
-- department: 养老
-- evidence: 缴费历史
-- basis: reference 5.3 FIX-12, 4.11; XA, TA3
-- table: AC02
-- column: AAC030
-- effect: none
-- among: AAE140 IN ('110', '210') AND (AAC030 IS NOT NULL OR AAC049 IS NOT NULL OR AAE030 IS NOT NULL)
SELECT r._key,
       CASE WHEN r.AAC030 > as_of() OR r.AAE030 > as_of() THEN '参保日期晚于抽取日'
            WHEN r.AAC049 > date_period(as_of()) OR r.AAE206 > date_period(as_of()) THEN '首次参保或建账年月晚于抽取日'
            WHEN r.AAC049 > date_period(r.AAC030) THEN '首次参保晚于个人参保日期'
            ELSE '参保早于参加工作' END AS _evidence
FROM AC02 AS r
LEFT JOIN AC01 AS p ON p.AAC001 = r.AAC001
WHERE r.AAE140 IN ('110', '210')
  AND (r.AAC030 > as_of() OR r.AAE030 > as_of() OR r.AAC049 > date_period(as_of()) OR r.AAE206 > date_period(as_of())
       OR r.AAC049 > date_period(r.AAC030) OR date_period(r.AAC030) < date_period(p.AAC007) OR r.AAC049 < date_period(p.AAC007))
