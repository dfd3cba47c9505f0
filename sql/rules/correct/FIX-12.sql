-- id: FIX-12
-- title: 参保、参工日期次序颠倒或晚于抽取日 / dates of first job and insurance out of order, or later than the extract
-- advice: 对照缴费历史和档案核定后更正 / decided from the payment history and the archive
-- severity: E
-- repair: V
-- department: 养老
-- evidence: 缴费历史
-- basis: reference 5.3 FIX-12, 4.11; XA, TA3
-- table: AC01
-- column: *
-- effect: none
-- among: AAC007 IS NOT NULL OR AAC006 IS NOT NULL OR AAC049 IS NOT NULL OR BAC033 IS NOT NULL OR AAE138 IS NOT NULL OR AAE206 IS NOT NULL
SELECT p._key,
       CASE WHEN p.AAC007 > as_of() THEN '参加工作日期晚于抽取日'
            WHEN p.AAC006 > as_of() THEN '出生日期晚于抽取日'
            WHEN p.AAE138 > as_of() THEN '死亡日期晚于抽取日'
            WHEN p.AAE138 < p.AAC006 THEN '死亡日期早于出生日期'
            WHEN p.AAC049 > date_period(as_of()) OR p.BAC033 > as_of() THEN '首次参保晚于抽取日'
            WHEN p.AAE206 > date_period(as_of()) THEN '建账年月晚于抽取日'
            ELSE '首次参保早于参加工作' END AS _evidence
FROM AC01 AS p
-- A date and a period are compared by the month (9.7).
WHERE p.AAC007 > as_of() OR p.AAC006 > as_of() OR p.AAE138 > as_of() OR p.AAE138 < p.AAC006 OR p.BAC033 > as_of()
   OR p.AAC049 > date_period(as_of()) OR p.AAE206 > date_period(as_of())
   OR p.AAC049 < date_period(p.AAC007) OR date_period(p.BAC033) < date_period(p.AAC007)
