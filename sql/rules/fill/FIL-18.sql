-- id: FIL-18
-- title: 各列空值率 / share of empty values of each column
-- advice: 每轮整改前后各列空值率见覆盖率报表 / the shares before and after each round are in the coverage report
-- severity: I
-- repair: N
-- department: 综合
-- basis: reference 5.4 FIL-18
-- table: AC01
-- column: *
-- effect: none
SELECT p._key
FROM AC01 AS p
-- The engine counts the shares of every column of every table; no row breaks this rule.
WHERE false
