-- id: FIX-10
-- title: 码值不在标准代码表内 / code outside the national list
-- advice: 写成名称或缺前导零的按代码表批量转换，其余查明原代码含义后补入对照表 /
--    a name in place of its code, or a lost leading zero, is converted in a batch; for others the meaning of the old code decides
-- severity: E
-- repair: A1
-- department: 信息
-- evidence: 代码表
-- basis: reference 5.3 FIX-10, 2.2, 2.3, 2.13; XA 码值出错
-- table: AC01
-- column: AAC005
-- touches: AAC004, AAC005, AAC009
-- effect: change
-- among: AAC004 IS NOT NULL OR AAC005 IS NOT NULL OR AAC009 IS NOT NULL
WITH named AS (
  -- 汉族 and 汉 are the same name.
  SELECT a.AAA100 AS list, CASE WHEN a.AAA100 = 'AAC005' THEN replace(a.AAA103, '族', '') ELSE a.AAA103 END AS name, min(a.AAA102) AS code
  FROM AA10 AS a
  WHERE a.AAA100 = 'AAC004' AND in_code('AAC004', a.AAA102) OR a.AAA100 = 'AAC005' AND in_code('AAC005', a.AAA102)
     OR a.AAA100 = 'AAC009' AND in_code('AAC009', a.AAA102)
  GROUP BY a.AAA100, CASE WHEN a.AAA100 = 'AAC005' THEN replace(a.AAA103, '族', '') ELSE a.AAA103 END
  HAVING min(a.AAA102) = max(a.AAA102)
), wrong AS (
  SELECT o._key AS _key,
         CASE WHEN NOT in_code('AAC004', o.AAC004) THEN btrim(half_width(o.AAC004)) END AS sex,
         CASE WHEN NOT in_code('AAC005', o.AAC005) THEN btrim(half_width(o.AAC005)) END AS nation,
         CASE WHEN NOT in_code('AAC009', o.AAC009) THEN btrim(half_width(o.AAC009)) END AS household
  FROM AC01 AS o
  WHERE NOT in_code('AAC004', o.AAC004) OR NOT in_code('AAC005', o.AAC005) OR NOT in_code('AAC009', o.AAC009)
), proposed AS (
  SELECT w._key AS _key,
         CASE WHEN in_code('AAC004', w.sex) THEN w.sex ELSE s.code END AS sex,
         CASE WHEN in_code('AAC005', pad(w.nation, 2)) THEN pad(w.nation, 2) ELSE n.code END AS nation,
         CASE WHEN in_code('AAC009', w.household) THEN w.household ELSE h.code END AS household
  FROM wrong AS w
  LEFT JOIN named AS s ON s.list = 'AAC004' AND s.name = w.sex
  LEFT JOIN named AS n ON n.list = 'AAC005' AND n.name = replace(w.nation, '族', '')
  LEFT JOIN named AS h ON h.list = 'AAC009' AND h.name = w.household
)
SELECT p._key, v.sex AS AAC004, v.nation AS AAC005, v.household AS AAC009
FROM AC01 AS p
JOIN proposed AS v ON v._key = p._key
-- What cannot be translated, and every other column with a list, is found by the check of the structure under this id.
WHERE v.sex IS NOT NULL OR v.nation IS NOT NULL OR v.household IS NOT NULL
