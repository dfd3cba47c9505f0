-- id: LED-09
-- title: 缴费单位与当月参保单位不一致 / the paying unit is not the unit of the spell in that month
-- advice: 查人员变动记录，确定当月单位后更正缴费单位或参保明细 / look at the person's events, then correct the paying unit or the spell
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 人员变动记录
-- basis: reference 5.6
-- table: AC43
-- column: AAB001
-- effect: none
-- among: AAE140 IN ('110', '210') AND AAA115 = '10' AND coalesce(YAA115, '0') = '0' AND AAB001 IS NOT NULL
WITH
-- A spell without a first month says nothing about the months before; one without a unit nothing about the unit.
spell AS (
    SELECT s.AAC001, s.AAE140, s.AAB001, s.AAE041, s.AAE042
    FROM AC20 AS s
    WHERE s.AAE140 IN ('110', '210') AND s.AAE041 IS NOT NULL
)
SELECT DISTINCT d._key, CAST(d.AAC001 AS VARCHAR) AS _group
FROM AC43 AS d
-- Back payments, transfers and late records may come from another unit. A unit that is not there is MIS-02, a month without a spell MIS-03.
WHERE d.AAE140 IN ('110', '210') AND d.AAA115 = '10' AND coalesce(d.YAA115, '0') = '0' AND coalesce(d.AAE017, '0') <> '1'
  AND d.AAB001 IS NOT NULL AND d.AAE003 IS NOT NULL
  AND EXISTS (SELECT 1 FROM AB01 AS u WHERE u.AAB001 = d.AAB001)
  AND EXISTS (
      SELECT 1 FROM spell AS s
      WHERE s.AAC001 = d.AAC001 AND s.AAE140 = d.AAE140
        AND s.AAE041 <= d.AAE003 AND (s.AAE042 IS NULL OR s.AAE042 >= d.AAE003))
  AND NOT EXISTS (
      SELECT 1 FROM spell AS s
      WHERE s.AAC001 = d.AAC001 AND s.AAE140 = d.AAE140
        AND s.AAE041 <= d.AAE003 AND (s.AAE042 IS NULL OR s.AAE042 >= d.AAE003)
        AND (s.AAB001 = d.AAB001 OR s.AAB001 IS NULL))
