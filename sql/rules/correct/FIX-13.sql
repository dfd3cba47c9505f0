-- id: FIX-13
-- title: 单位成立早于批准，或参保早于成立 / unit founded before its approval, or insured before it was founded
-- advice: 到市场监管核对成立、批准日期后更正 / compare with the register
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 市监登记信息
-- basis: reference 5.3 FIX-13, 4.11; TA3
-- table: AB01
-- column: AAE047
-- effect: none
-- among: AAE047 IS NOT NULL
SELECT p._key,
       CASE WHEN p.AAE047 < p.AAE049 THEN '成立日期早于批准日期'
            WHEN p.AAE047 > as_of() THEN '成立日期晚于抽取日'
            ELSE '批准日期晚于抽取日' END AS _evidence
FROM AB01 AS p
WHERE p.AAE047 < p.AAE049 OR p.AAE047 > as_of() OR p.AAE049 > as_of()
