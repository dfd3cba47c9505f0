-- id: MRG-15
-- title: 合并后同一字段取值不同 / fields of merged rows that hold different values
-- advice: 系统不代为取舍；核实后采纳并出编号的值，或填写更正值，或确认保留编号的值属实；注明不得代改的字段由业务科按档案办理 / none of
--     the two is chosen; adopt the value of the number that was given up, write the right one, or say that the survivor's is right; fields named
--     as not to be changed are settled from the file
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 公安、档案
-- basis: reference 5.7; merge_fields.csv
-- table: AC01
-- column: AAC001
-- touches: AAC002, AAC058, AAC147, AAC003, AAC004, AAC006, AAC060, AAC084, AIC162, AAE138, AAC005, AAC161, AAC009, AAC012, AAC013, AAC019, AAC028, AAE473,
--     BAC033, AAC049, AAE206, AAC064, AAC118, AAE004, AAZ500, AAC300, AAC010, AAC301, AAE006, AAC011, AAC014, AAC015, AAC020, AAC017, AAC024, AAC067,
--     AAE005, AAE007, AAE159
-- effect: change
SELECT p._key, c.AAC002, c.AAC058, c.AAC147, c.AAC003, c.AAC004, c.AAC006, c.AAC060, c.AAC084, c.AIC162, c.AAE138, c.AAC005, c.AAC161, c.AAC009, c.AAC012, c.AAC013,
       c.AAC019, c.AAC028, c.AAE473, c.BAC033, c.AAC049, c.AAE206, c.AAC064, c.AAC118, c.AAE004, c.AAZ500, c.AAC300, c.AAC010, c.AAC301, c.AAE006, c.AAC011,
       c.AAC014, c.AAC015, c.AAC020, c.AAC017, c.AAC024, c.AAC067, c.AAE005, c.AAE007, c.AAE159,
       concat_ws('；', concat('并出编号', c.donor), CASE WHEN c.fixed <> '' THEN concat('不得代改的字段也不同：', c.fixed) END) AS _evidence
FROM AC01 AS p
JOIN conflict_AC01 AS c ON c._key = p._key
