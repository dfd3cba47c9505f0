-- id: LED-02
-- title: 做账期号早于费款所属期 / ledger period before the period paid for
-- advice: 属预缴的改缴费来源为预缴，否则核对台账期号 / if it was a prepayment mark it as one, else check the ledger period
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 核定表
-- basis: reference 5.6
-- table: AC43
-- column: AAE002
-- effect: none
-- among: AAE140 IN ('110', '210') AND AAE002 IS NOT NULL AND AAE003 IS NOT NULL
SELECT d._key, concat('做账期号', CAST(d.AAE002 AS VARCHAR), '，费款所属期', CAST(d.AAE003 AS VARCHAR)) AS _evidence
FROM AC43 AS d
WHERE d.AAE140 IN ('110', '210') AND d.AAE002 < d.AAE003 AND coalesce(d.YAA115, '0') <> '1' AND coalesce(d.AAE017, '0') <> '1'
