-- id: FIX-08
-- title: 姓名含造字、问号、数字、括号或后缀 / name with private characters, question marks, digits, brackets or a suffix
-- advice: 已知后缀自动去除并留痕；生僻字等按身份证、公安姓名逐人更正 / known suffixes go in the same run and are kept in the record; other characters by the ID card or the police name
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 公安姓名、身份证复印件
-- basis: reference 5.3 FIX-08, 4.2, 6.6; ref_name_suffix
-- table: AC01
-- column: AAC003
-- touches: AAC003
-- effect: change
-- among: AAC003 IS NOT NULL
-- params: bad = '[\p{Co}\x{FFFD}?？0-9０-９()（）<>《》{}【】*＊]|\[|\]', least = 2
SELECT p._key,
       CASE WHEN s.rest IS NOT NULL AND NOT regexp_like(s.rest, $bad) AND character_length(s.rest) >= $least THEN s.rest END AS AAC003,
       CASE WHEN s.rest IS NOT NULL AND NOT regexp_like(s.rest, $bad) AND character_length(s.rest) >= $least THEN 'A0' END AS _repair,
       CASE WHEN s.tag IS NOT NULL THEN '后缀标记：' || s.tag END AS _evidence
FROM AC01 AS p
LEFT JOIN (
  -- The longest known suffix of each name; what stands before it.
  SELECT l._key AS _key, l.tag AS tag, l.rest AS rest
  FROM (
    SELECT n._key AS _key, f.tag AS tag,
           btrim(left(n.AAC003, character_length(n.AAC003) - character_length(f.suffix))) AS rest,
           row_number() OVER (PARTITION BY n._key ORDER BY character_length(f.suffix) DESC, f.suffix) AS rank
    FROM AC01 AS n
    JOIN ref_name_suffix AS f ON ends_with(n.AAC003, f.suffix)
  ) AS l
  WHERE l.rank = 1
) AS s ON s._key = p._key
WHERE regexp_like(p.AAC003, $bad) OR s._key IS NOT NULL
