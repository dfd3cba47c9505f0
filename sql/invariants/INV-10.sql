-- id: INV-10
-- title: 不在迁移范围的险种数据未被改动 / rows of insurances out of scope are untouched
-- compares: 养老、失业以外险种的行，清理前后逐列 / rows of other insurances than pension and unemployment, before and after cleaning, column by column
-- about: mapped
-- each: AB02, AB05, AB07, AC02, AC04, AC05, AC20, AC31_GZJL, AC43, AC53, AC55, AC60, AC61, AC82, AD21, AD23, AE28, AE29, IC89
-- broken: blocks
SELECT 'before' AS side, x.AAE140, x._key
FROM (SELECT * FROM mapped AS m WHERE m.AAE140 NOT IN ('110', '210') EXCEPT SELECT * FROM cleaned AS c WHERE c.AAE140 NOT IN ('110', '210')) AS x
UNION ALL
SELECT 'after' AS side, y.AAE140, y._key
FROM (SELECT * FROM cleaned AS c WHERE c.AAE140 NOT IN ('110', '210') EXCEPT SELECT * FROM mapped AS m WHERE m.AAE140 NOT IN ('110', '210')) AS y
