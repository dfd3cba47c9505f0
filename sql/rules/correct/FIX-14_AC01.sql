-- id: FIX-14
-- title: 行政区划无法识别 / region that cannot be resolved
-- advice: 按区划对照表（含撤销代码）批量转换，其余核对户口地址 / converted in a batch by the table of regions with abolished codes, else by the address
-- severity: E
-- repair: V
-- department: 综合
-- evidence: 民政区划
-- basis: reference 5.3 FIX-14, 2.22, 4.1; GB/T 2260; ref_region_alias
-- table: AC01
-- column: AAC300
-- touches: AAC300
-- effect: change
-- among: AAC300 IS NOT NULL
-- params: sound = '^(1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3])[0-9]{4}$'
SELECT p._key, a.region AS AAC300, CASE WHEN a.region IS NOT NULL THEN 'A1' END AS _repair
FROM AC01 AS p
LEFT JOIN (
  SELECT f.alias AS alias, min(f.region) AS region FROM ref_region_alias AS f GROUP BY f.alias HAVING min(f.region) = max(f.region)
) AS a ON a.alias = btrim(half_width(p.AAC300))
-- A household may be registered anywhere in the country: six digits under a province are no fault, unless the table knows them as abolished.
WHERE btrim(p.AAC300) <> '' AND NOT in_code('AAB301', p.AAC300)
  AND (a.region IS NOT NULL OR NOT regexp_like(p.AAC300, $sound))
