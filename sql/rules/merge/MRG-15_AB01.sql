-- id: MRG-15
-- title: 合并后同一字段取值不同 / fields of merged rows that hold different values
-- advice: 系统不代为取舍；核实后采纳并出编号的值，或填写更正值，或确认保留编号的值属实；注明不得代改的字段由业务科按档案办理 / none of
--     the two is chosen; adopt the value of the number that was given up, write the right one, or say that the survivor's is right; fields named
--     as not to be changed are settled from the file
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 市监
-- basis: reference 5.7; merge_fields.csv
-- table: AB01
-- column: AAB001
-- touches: AAB004, AAB998, AAB003, AAB007, AAE045, AAE046, AAB343, AAE119, AAE100, AAB019, AAB020, AAB021, AAB022, AAA149, AAB065, AAB301, AAE047, AAB006,
--     AAB030, AAB016, AAE004, AAE048, AAE049, AAE051, AAB008, AAB009, AAB023, AAF020, AAB018, AAE005, AAE006, AAE007
-- effect: change
SELECT p._key, c.AAB004, c.AAB998, c.AAB003, c.AAB007, c.AAE045, c.AAE046, c.AAB343, c.AAE119, c.AAE100, c.AAB019, c.AAB020, c.AAB021, c.AAB022, c.AAA149, c.AAB065,
       c.AAB301, c.AAE047, c.AAB006, c.AAB030, c.AAB016, c.AAE004, c.AAE048, c.AAE049, c.AAE051, c.AAB008, c.AAB009, c.AAB023, c.AAF020, c.AAB018, c.AAE005,
       c.AAE006, c.AAE007,
       concat_ws('；', concat('并出编号', c.donor), CASE WHEN c.fixed <> '' THEN concat('不得代改的字段也不同：', c.fixed) END) AS _evidence
FROM AB01 AS p
JOIN conflict_AB01 AS c ON c._key = p._key
