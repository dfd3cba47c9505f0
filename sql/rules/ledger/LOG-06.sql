-- id: LOG-06
-- title: 同一险种两段在保时间重叠 / two active spells of one insurance overlap
-- advice: 按劳动合同核实应保留的一段，另一段补终止年月 / decide by the contracts which spell stands, and close the other
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 劳动合同
-- basis: reference 5.6
-- table: AC20
-- column: AAE041
-- effect: none
-- among: AAE140 IN ('110', '210') AND AAC031 = '1'
WITH
-- Only spells in which the person pays (AAC031 1). An open end is after every month. Two spells that share one month are a change of
-- employer within the month, which is usual; twice paid months are MRG-05's.
spell AS (
    SELECT s._key, s.AAC001, s.AAE140, s.AAE041 AS begins, coalesce(s.AAE042, 999912) AS ends
    FROM AC20 AS s
    WHERE s.AAE140 IN ('110', '210') AND s.AAC031 = '1' AND s.AAC001 IS NOT NULL AND s.AAE041 IS NOT NULL
      AND (s.AAE042 IS NULL OR s.AAE042 >= s.AAE041)
),
beside AS (
    SELECT p._key, p.AAC001, p.AAE140, p.begins, p.ends,
           max(p.ends) OVER (PARTITION BY p.AAC001, p.AAE140 ORDER BY p.begins, p._key
                             ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS ended,
           lead(p.begins) OVER (PARTITION BY p.AAC001, p.AAE140 ORDER BY p.begins, p._key) AS next_begins
    FROM spell AS p
)
SELECT b._key, min(concat(CAST(b.AAC001 AS VARCHAR), ' ', b.AAE140)) AS _group,
       min(concat(CAST(b.begins AS VARCHAR), '-', CASE WHEN b.ends = 999912 THEN '' ELSE CAST(b.ends AS VARCHAR) END)) AS _evidence
FROM beside AS b
WHERE b.ended > b.begins OR b.next_begins < b.ends
GROUP BY b._key
