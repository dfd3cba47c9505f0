-- id: INV-06
-- title: 规则不改动待遇金额、视同月数、参工日期和档案出生日期 / no rule changes a benefit, deemed months, the date of the first job or the archive birth date
-- compares: 修改记录与 untouchable.csv 所列字段 / change records and the columns of untouchable.csv
-- about: changes
-- broken: blocks
SELECT c."table", c."column", c.rule, c._key
FROM changes AS c
JOIN untouchable AS u ON u."column" = c."column"
WHERE u."table" = '*' OR u."table" = c."table"
