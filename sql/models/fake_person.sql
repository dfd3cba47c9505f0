-- row: a person number under the name of a test or a placeholder, without arrived payment and without benefit
-- key: AAC001
-- params: whole = '张三 李四 王五'
WITH
named AS (
    -- whole: placeholders that are also real names; they count only as the whole name (张三丰 is nobody's placeholder).
    SELECT p.AAC001, lower(btrim(half_width(p.AAC003))) AS name, lower(name_clean(p.AAC003)) AS clean
    FROM AC01 AS p
    WHERE btrim(p.AAC003) <> ''
)
SELECT DISTINCT n.AAC001
FROM named AS n
LEFT JOIN person_trace AS t ON t.AAC001 = n.AAC001
WHERE coalesce(t.arrived, 0) = 0 AND coalesce(t.benefits, 0) = 0 AND coalesce(t.others, 0) = 0
  AND (regexp_like(n.name, '^[0-9a-z]+$') AND replace(n.name, substr(n.name, 1, 1), '') = ''
    OR EXISTS (
        SELECT 1 FROM ref_test_words AS w
        WHERE w.what = 'person'
          AND CASE WHEN strpos($whole, w.word) > 0 THEN n.clean = w.word
                   -- Latin letters inside a foreigner's name say nothing.
                   WHEN regexp_like(w.word, '^[a-z]+$') THEN regexp_replace(n.name, '[^\p{L}]', '', 'g') = w.word
                   ELSE strpos(replace(n.name, ' ', ''), w.word) > 0 END))
