-- id: MIS-10
-- title: 分年度历史表缺年度或行数异常 / a yearly table is missing, or its number of rows is unlike its neighbours'
-- advice: 查介质登记，找回该年度备份 / look in the media log and find that year's backup
-- severity: E
-- repair: V
-- department: 信息
-- evidence: 介质登记
-- basis: reference 5.5
-- table: W_INVENTORY
-- column: YWI002
-- effect: none
-- among: regexp_like(YWI001, '[^0-9](19[5-9][0-9]|20[0-9][0-9])$')
-- params: share = 0.20
WITH
-- A series is what tables of one name have in common before the year.
yearly AS (
    SELECT w._key, w.YWI002 AS row_count,
           regexp_replace(w.YWI001, '[0-9]{4}$', '') AS series,
           CAST(substr(w.YWI001, character_length(w.YWI001) - 3, 4) AS INT) AS year
    FROM W_INVENTORY AS w
    WHERE regexp_like(w.YWI001, '[^0-9](19[5-9][0-9]|20[0-9][0-9])$')
),
beside AS (
    SELECT y._key, y.series, y.year, y.row_count,
           lag(y.year) OVER (PARTITION BY y.series ORDER BY y.year) AS year_before,
           lag(y.row_count) OVER (PARTITION BY y.series ORDER BY y.year) AS rows_before,
           lead(y.row_count) OVER (PARTITION BY y.series ORDER BY y.year) AS rows_after
    FROM yearly AS y
),
judged AS (
    SELECT b._key, b.series, b.year, b.row_count, b.year_before, b.rows_before, b.rows_after,
           b.year - b.year_before > 1 AS gap,
           -- Unlike both neighbours, in the same direction: a form that changes with a year, or a city that grows, is unlike one of them only.
           (b.row_count < b.rows_before * (1 - $share) AND b.row_count < b.rows_after * (1 - $share))
           OR (b.row_count > b.rows_before * (1 + $share) AND b.row_count > b.rows_after * (1 + $share)) AS odd
    FROM beside AS b
)
SELECT j._key,
       min(concat(CASE WHEN j.gap THEN concat('缺', CAST(j.year_before + 1 AS VARCHAR), CASE WHEN j.year - j.year_before > 2 THEN concat('至', CAST(j.year - 1 AS VARCHAR)) ELSE '' END, '年表') ELSE '' END,
              CASE WHEN j.gap AND coalesce(j.odd, false) THEN '；' ELSE '' END,
              CASE WHEN j.odd THEN concat('行数', CAST(j.row_count AS VARCHAR), '，前后年', CAST(j.rows_before AS VARCHAR), '、', CAST(j.rows_after AS VARCHAR)) ELSE '' END)) AS _evidence,
       min(j.series) AS _group
FROM judged AS j
WHERE j.gap OR j.odd
GROUP BY j._key
