-- id: GAR-07
-- title: 源库中的测试、临时、备份表 / test, temporary and backup tables in the source
-- advice: 在源表清单中列明，不参与映射 / listed in the inventory, not mapped
-- severity: W
-- repair: A0
-- department: 信息
-- evidence: 源表清单
-- basis: reference 5.1 GAR-07, 3.18
-- table: W_INVENTORY
-- column: YWI001
-- effect: exclude
-- params: junk = '^(TEST|TMP)_|_BAK|_OLD$'
SELECT i._key
FROM W_INVENTORY AS i
-- The schema in front of the name (dbo.) says nothing.
WHERE regexp_like(regexp_replace(upper(i.YWI001), '^.*[.]', ''), $junk)
