-- id: LOG-12
-- title: 转移接续数据不平或方向相反 / transfer data do not add up, or the direction is turned round
-- advice: 对照联系函和信息表更正 / correct by the contact letter and the information sheet
-- severity: E
-- repair: V
-- department: 养老
-- evidence: 联系函
-- basis: reference 1 (T22), 5.6
-- table: IC91
-- column: AAE202
-- effect: none
-- among: AAE202 IS NOT NULL OR AAE041 IS NOT NULL
-- params: max = 12
SELECT t._key,
       concat(CAST(t.AAE001 AS VARCHAR), '年', CAST(t.AAE202 AS VARCHAR), '个月', coalesce(concat('，', CAST(t.AAE041 AS VARCHAR), '-', CAST(t.AAE042 AS VARCHAR)), '')) AS _evidence
FROM IC91 AS t
WHERE t.AAE202 > $max
   -- More months than the row's own months have; or a spell that leaves its year, so that it has months of another year.
   OR (t.AAE042 >= t.AAE041 AND t.AAE202 > months(t.AAE041, t.AAE042) + 1)
   OR t.AAE042 < t.AAE041
   OR t.AAE041 / 100 <> t.AAE001
   OR t.AAE042 / 100 <> t.AAE001
