-- id: FIX-11
-- title: 参加工作时间早于出生或年龄过小 / first job before birth or at too young an age
-- advice: 查阅档案后由养老科认定，系统不自动更改参工时间 / decided from the archive; this date is never changed by a rule
-- severity: E
-- repair: V
-- department: 养老
-- evidence: 档案
-- basis: reference 5.3 FIX-11, 4.2, 4.11; TA3, ZJG; INV-06
-- table: AC01
-- column: AAC007
-- effect: none
-- among: AAC007 > DATE '1900-01-01' AND AAC006 IS NOT NULL
-- params: least = 12, usual = 16
SELECT p._key,
       CASE WHEN months(date_period(LEAST(p.AAC006, COALESCE(p.YAC516, p.AAC006))), date_period(p.AAC007)) >= 12 * $least
            THEN 'W' END AS _severity,
       CASE WHEN p.AAC007 < LEAST(p.AAC006, COALESCE(p.YAC516, p.AAC006)) THEN '参加工作早于出生'
            WHEN months(date_period(LEAST(p.AAC006, COALESCE(p.YAC516, p.AAC006))), date_period(p.AAC007)) < 12 * $least
            THEN '参加工作时年龄过小'
            ELSE '参加工作时未满规定年龄（学徒、文艺、体育人员可有例外）' END AS _evidence
FROM AC01 AS p
-- 1900-01-01 stands for empty (FIL-05). Where the archive knows an earlier birth, the age is counted from that.
WHERE p.AAC007 > DATE '1900-01-01'
  AND months(date_period(LEAST(p.AAC006, COALESCE(p.YAC516, p.AAC006))), date_period(p.AAC007)) < 12 * $usual
