-- id: FIX-16
-- title: 农业户口但农民工标识为否 / rural household, but not marked as a migrant worker
-- advice: 向用人单位核实后更正；情况属实的可注明保留 / ask the employer; where it is true it may stay
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 用人单位证明
-- basis: reference 5.3 FIX-16, 4.11; XA
-- table: AC01
-- column: AAC028
-- touches: AAC028
-- effect: change
-- among: AAC009 = '20' AND AAC028 IS NOT NULL
SELECT p._key, '1' AS AAC028
FROM AC01 AS p
WHERE p.AAC009 = '20' AND p.AAC028 = '0'
