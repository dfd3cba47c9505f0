-- id: FIX-14
-- title: 行政区划无法识别 / region that cannot be resolved
-- advice: 按区划对照表（含撤销代码）批量转换，其余核对地址 / converted in a batch by the table of regions with abolished codes, else by the address
-- severity: E
-- repair: V
-- department: 综合
-- evidence: 民政区划
-- basis: reference 5.3 FIX-14, 2.22; GB/T 2260; ref_region_alias
-- table: AB01
-- column: AAB301
-- touches: AAB301
-- effect: change
-- among: AAB301 IS NOT NULL
SELECT p._key, a.region AS AAB301, CASE WHEN a.region IS NOT NULL THEN 'A1' END AS _repair
FROM AB01 AS p
LEFT JOIN (
  SELECT f.alias AS alias, min(f.region) AS region FROM ref_region_alias AS f GROUP BY f.alias HAVING min(f.region) = max(f.region)
) AS a ON a.alias = btrim(half_width(p.AAB301))
WHERE btrim(p.AAB301) <> '' AND NOT in_code('AAB301', p.AAB301)
