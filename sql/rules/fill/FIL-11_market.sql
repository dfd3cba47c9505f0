-- id: FIL-11
-- title: 单位类型、经济类型、隶属关系或行业为空 / unit type, economic type, affiliation or industry is empty
-- advice: 信用代码或名称加注册号一致的，批量采用市监信息 / taken from the market register in a batch, by credit code or by name and number
-- severity: E
-- repair: A1
-- department: 经办
-- evidence: 市监登记信息
-- basis: reference 5.4 FIL-11
-- table: AB01
-- column: AAB019
-- touches: AAB019, AAB020, AAB021, AAB022
-- effect: change
-- needs: ext_market
WITH m AS (
  SELECT g.uscc AS uscc, replace(half_width(btrim(g.name)), ' ', '') AS name, g.regno AS regno,
         CASE WHEN in_code('AAB019', g.AAB019) THEN g.AAB019 END AS AAB019,
         CASE WHEN in_code('AAB020', g.AAB020) THEN g.AAB020 END AS AAB020,
         CASE WHEN in_code('AAB021', g.AAB021) THEN g.AAB021 END AS AAB021,
         CASE WHEN btrim(g.AAB022) <> '' THEN btrim(g.AAB022) END AS AAB022
  FROM ext_market AS g
), matched AS (
  SELECT u._key AS _key, m.AAB019 AS AAB019, m.AAB020 AS AAB020, m.AAB021 AS AAB021, m.AAB022 AS AAB022
  FROM AB01 AS u JOIN m ON m.uscc = u.AAB998 WHERE uscc_valid(u.AAB998)
  UNION ALL
  SELECT u._key, m.AAB019, m.AAB020, m.AAB021, m.AAB022
  FROM AB01 AS u JOIN m ON m.name = replace(half_width(btrim(u.AAB004)), ' ', '') AND m.regno = u.AAB007
  WHERE NOT COALESCE(uscc_valid(u.AAB998), false)
), one AS (
  -- Where the register has several, only what they agree on.
  SELECT x._key AS _key,
         CASE WHEN min(x.AAB019) = max(x.AAB019) THEN min(x.AAB019) END AS AAB019,
         CASE WHEN min(x.AAB020) = max(x.AAB020) THEN min(x.AAB020) END AS AAB020,
         CASE WHEN min(x.AAB021) = max(x.AAB021) THEN min(x.AAB021) END AS AAB021,
         CASE WHEN min(x.AAB022) = max(x.AAB022) THEN min(x.AAB022) END AS AAB022
  FROM matched AS x GROUP BY x._key
)
SELECT p._key,
       CASE WHEN btrim(COALESCE(p.AAB019, '')) = '' THEN o.AAB019 END AS AAB019,
       CASE WHEN btrim(COALESCE(p.AAB020, '')) = '' THEN o.AAB020 END AS AAB020,
       CASE WHEN btrim(COALESCE(p.AAB021, '')) = '' THEN o.AAB021 END AS AAB021,
       CASE WHEN btrim(COALESCE(p.AAB022, '')) = '' THEN o.AAB022 END AS AAB022,
       '市监登记信息' AS _evidence
FROM AB01 AS p
JOIN one AS o ON o._key = p._key
WHERE btrim(COALESCE(p.AAB019, '')) = '' AND o.AAB019 IS NOT NULL OR btrim(COALESCE(p.AAB020, '')) = '' AND o.AAB020 IS NOT NULL
   OR btrim(COALESCE(p.AAB021, '')) = '' AND o.AAB021 IS NOT NULL OR btrim(COALESCE(p.AAB022, '')) = '' AND o.AAB022 IS NOT NULL
