-- row: a person number whose ID is a placeholder
-- key: AAC001
WITH
numbered AS (
    SELECT p.AAC001, upper(btrim(half_width(p.AAC147))) AS number, coalesce(p.AAC058, '01') IN ('01', '16') AS citizen
    FROM AC01 AS p
    WHERE btrim(p.AAC147) <> ''
),
judged AS (
    SELECT n.AAC001,
           CASE WHEN replace(n.number, substr(n.number, 1, 1), '') = '' THEN '全部为同一字符'
                WHEN NOT n.citizen OR NOT regexp_like(n.number, '^([0-9]{15}|[0-9]{17}[0-9X])$') THEN NULL
                -- 1111 and 1234 begin no region. Longer runs of other digits do: 2222 was a prefecture.
                WHEN regexp_like(n.number, '^(1111|1234)') THEN '顺号或重号'
                WHEN regexp_like(n.number, '^[0-9]{6}(000101[0-9]{3}|19000101[0-9]{3}[0-9X])$') THEN '出生日期为19000101'
                WHEN regexp_like(n.number, '^([0-9]{12}000|[0-9]{14}000[0-9X])$') THEN '顺序码为000' END AS why
    FROM numbered AS n
)
SELECT j.AAC001, min(j.why) AS why
FROM judged AS j
WHERE j.why IS NOT NULL
GROUP BY j.AAC001
