-- id: LOG-11
-- title: 失业待遇月数不平 / months of unemployment benefit do not add up
-- advice: 对照失业档案更正月数 / correct the months by the case file
-- severity: E
-- repair: V
-- department: 失业
-- evidence: 失业档案
-- basis: reference 4.10, 5.6
-- table: JC21
-- column: AJC097
-- effect: none
-- among: AJC097 IS NOT NULL OR AJC072 IS NOT NULL
-- params: max = 24
SELECT j._key,
       concat_ws('；',
           CASE WHEN j.AJC072 <> coalesce(j.AJC001, 0) + j.AJC071
                THEN concat('累计', CAST(j.AJC072 AS VARCHAR), '≠视同', CAST(coalesce(j.AJC001, 0) AS VARCHAR), '+实际', CAST(j.AJC071 AS VARCHAR)) END,
           CASE WHEN j.AJC097 <> j.AJC058 + coalesce(j.AJC059, 0)
                THEN concat('应享', CAST(j.AJC097 AS VARCHAR), '≠本次', CAST(j.AJC058 AS VARCHAR), '+结转', CAST(coalesce(j.AJC059, 0) AS VARCHAR)) END,
           CASE WHEN j.AJC097 <> j.AJC098 + j.AJC099
                THEN concat('应享', CAST(j.AJC097 AS VARCHAR), '≠已享', CAST(j.AJC098 AS VARCHAR), '+剩余', CAST(j.AJC099 AS VARCHAR)) END,
           CASE WHEN j.AJC097 > $max THEN concat('应享', CAST(j.AJC097 AS VARCHAR), '超过上限') END) AS _evidence
FROM JC21 AS j
-- A part that was not kept makes no sum: the comparison is NULL.
WHERE j.AJC072 <> coalesce(j.AJC001, 0) + j.AJC071
   OR j.AJC097 <> j.AJC058 + coalesce(j.AJC059, 0)
   OR j.AJC097 <> j.AJC098 + j.AJC099
   OR j.AJC097 > $max
