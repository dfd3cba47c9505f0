-- id: FIX-13
-- title: 单位成立早于批准，或参保早于成立 / unit founded before its approval, or insured before it was founded
-- advice: 到市场监管核对成立日期；已有缴费的只能将参保日期提前 / compare with the register; with payments the insurance may only begin earlier
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 市监登记信息
-- basis: reference 5.3 FIX-13, 4.11; TA3
-- table: AB02
-- column: AAB050
-- effect: none
-- among: AAE140 IN ('110', '210') AND AAB050 IS NOT NULL
SELECT r._key,
       CASE WHEN r.AAB050 > as_of() THEN '参保日期晚于抽取日' ELSE '参保早于单位成立' END AS _evidence
FROM AB02 AS r
LEFT JOIN AB01 AS u ON u.AAB001 = r.AAB001
WHERE r.AAE140 IN ('110', '210') AND (r.AAB050 < u.AAE047 OR r.AAB050 > as_of())
