-- id: PRV-04
-- title: 省局下发问题：出生日期 / a problem of the province: birth date
-- advice: 核对证件后采纳省局应为值、填写更正值，或者情况属实写明依据 / compare with the papers, then adopt what the province asks for, write what is right, or waive with its basis
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 省局问题清单
-- basis: RULES 5; reference 6.3
-- table: AC01
-- column: AAC006
-- touches: AAC006
-- effect: change
-- needs: ext_province_problem
SELECT p._key, CASE WHEN min(m.asked) = max(m.asked) THEN min(m.asked) END AS AAC006, string_agg(m.said, '、' ORDER BY m.said) AS _evidence
FROM AC01 AS p
JOIN (
  SELECT DISTINCT m._key, try_cast(regexp_replace(m.asked, '^([0-9]{4})[^0-9]?([0-9]{2})[^0-9]?([0-9]{2}).*$', '\1-\2-\3') AS DATE) AS asked, m.asked AS wanted, m.seen, concat('省局问题', m.problem, CASE WHEN m.rule <> '' THEN concat('（规则', m.rule, '）') ELSE '' END) AS said
  FROM province_match AS m
  WHERE m.finds = 'PRV-04' AND m.candidates = 1
) AS m ON m._key = p._key
-- Open while the field holds what the province saw, and not what it asks for.
WHERE (m.seen IS NULL OR m.seen = '' OR replace(CAST(p.AAC006 AS VARCHAR), '-', '') = regexp_replace(m.seen, '[^0-9]', '', 'g')) AND (m.wanted IS NULL OR m.wanted = '' OR NOT coalesce(replace(CAST(p.AAC006 AS VARCHAR), '-', '') = regexp_replace(m.wanted, '[^0-9]', '', 'g'), false))
GROUP BY p._key
