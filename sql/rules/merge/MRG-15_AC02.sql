-- id: MRG-15
-- title: 合并后同一字段取值不同 / fields of merged rows that hold different values
-- advice: 系统不代为取舍；核实后采纳并出编号的值，或填写更正值，或确认保留编号的值属实；注明不得代改的字段由业务科按档案办理 / none of
--     the two is chosen; adopt the value of the number that was given up, write the right one, or say that the survivor's is right; fields named
--     as not to be changed are settled from the file
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 档案
-- basis: reference 5.7; merge_fields.csv
-- table: AC02
-- column: AAZ159
-- touches: AAE206, AAC030, AAC049, AAC062
-- effect: change
SELECT p._key, c.AAE206, c.AAC030, c.AAC049, c.AAC062,
       concat_ws('；', concat('并出编号', c.donor), CASE WHEN c.fixed <> '' THEN concat('不得代改的字段也不同：', c.fixed) END) AS _evidence
FROM AC02 AS p
JOIN conflict_AC02 AS c ON c._key = p._key
