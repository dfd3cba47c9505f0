-- id: FIL-11
-- title: 单位类型、经济类型、隶属关系或行业为空 / unit type, economic type, affiliation or industry is empty
-- advice: 代管窗口按固定值批量补录；其余采用市监信息或由经办科核定 /
--    windows get their fixed values in a batch; others by the market register, or decided by the service section
-- severity: E
-- repair: A1
-- department: 经办
-- evidence: 市监登记信息
-- basis: reference 5.4 FIL-11, 2.7: TA3 sets 99, 900 and 90 for windows
-- table: AB01
-- column: AAB019
-- touches: AAB020, AAB021
-- effect: change
SELECT p._key,
       CASE WHEN btrim(COALESCE(p.AAB020, '')) = '' THEN '900' END AS AAB020,
       CASE WHEN btrim(COALESCE(p.AAB021, '')) = '' THEN '90' END AS AAB021,
       '代管窗口固定值' AS _evidence
FROM AB01 AS p
-- A window of individual payers is in no register. What is empty of all other units, the check of the structure finds under this id.
WHERE p.AAB019 = '99' AND btrim(COALESCE(p.AAB998, '')) = '' AND (p.AAB065 = '2' OR p.AAB020 = '900')
  AND (btrim(COALESCE(p.AAB020, '')) = '' OR btrim(COALESCE(p.AAB021, '')) = '')
