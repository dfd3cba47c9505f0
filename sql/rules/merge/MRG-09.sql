-- id: MRG-09
-- title: 同一单位有多个单位编号 / several numbers of one unit
-- advice: 对照市监登记确认后合并，原编号作为别名保留，并核对人员 / confirm by the market regulator's register and merge, keep the old number as an alias, check the members
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 市监
-- basis: reference 5.7
-- table: AB01
-- column: AAB999
-- effect: merge
-- among: AAB998 IS NOT NULL OR AAB007 IS NOT NULL
SELECT u._key, d.survivor_key AS _after_key, d.survivor_key AS _group,
       concat(CASE d.by WHEN 'A' THEN '统一社会信用代码相同' ELSE '名称和注册号相同' END,
              CASE WHEN d.AAB343 = d.survivor_number THEN '，登记为下级单位' ELSE '' END) AS _evidence
FROM (SELECT DISTINCT u._key FROM AB01 AS u) AS u
JOIN unit_same AS d ON d.unit_key = u._key
