-- id: FIX-09
-- title: 同一号码姓名不一致（养老、失业两侧或与公安） / same ID, another name on the unemployment side or with the police
-- advice: 以身份证为准，查明曾用名后在错误一侧更正；确为两人的按重号处理 /
--    by the ID card and former names, correct the wrong side; two people under one number are MRG-03
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 身份证复印件、曾用名证明
-- basis: reference 5.3 FIX-09, 9.5
-- table: AC01
-- column: AAC003
-- effect: none
-- among: AAC147 IS NOT NULL AND AAC003 IS NOT NULL
SELECT p._key,
       CASE WHEN bool_or(name_key(w.AAC003) = name_key(n.YWP002)) THEN '失业侧姓名与曾用名一致' END AS _evidence
FROM AC01 AS p
JOIN W_NUMBER_LINK AS w ON COALESCE(id18(w.AAC147), w.AAC147) = COALESCE(id18(p.AAC147), p.AAC147)
LEFT JOIN W_PERSON_NOTE AS n ON n.AAC001 = p.AAC001
-- Only a number that can be somebody's: placeholders would join everybody with everybody.
WHERE id_check(p.AAC147) IN ('ok', 'ok15') AND name_key(name_clean(p.AAC003)) <> name_key(name_clean(w.AAC003))
  -- A name with characters that say nothing cannot be compared before FIX-08.
  AND NOT regexp_like(p.AAC003, '[\p{Co}\x{FFFD}?？]')
  -- The pension side is named; the unemployment person is in AC01 too, under the unemployment number.
  AND NOT EXISTS (SELECT 1 FROM W_NUMBER_LINK AS s WHERE s.YWL002 = p.AAC999)
GROUP BY p._key
