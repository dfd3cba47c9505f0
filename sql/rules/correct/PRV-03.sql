-- id: PRV-03
-- title: 省局下发问题：姓名 / a problem of the province: name
-- advice: 核对证件后采纳省局应为值、填写更正值，或者情况属实写明依据 / compare with the papers, then adopt what the province asks for, write what is right, or waive with its basis
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 省局问题清单
-- basis: RULES 5; reference 6.3
-- table: AC01
-- column: AAC003
-- touches: AAC003
-- effect: change
-- needs: ext_province_problem
SELECT p._key, CASE WHEN min(m.asked) = max(m.asked) THEN min(m.asked) END AS AAC003, string_agg(m.said, '、' ORDER BY m.said) AS _evidence
FROM AC01 AS p
JOIN (
  SELECT DISTINCT m._key, nullif(m.asked, '') AS asked, m.asked AS wanted, m.seen, concat('省局问题', m.problem, CASE WHEN m.rule <> '' THEN concat('（规则', m.rule, '）') ELSE '' END) AS said
  FROM province_match AS m
  WHERE m.finds = 'PRV-03' AND m.candidates = 1
) AS m ON m._key = p._key
-- Open while the field holds what the province saw, and not what it asks for.
WHERE (m.seen IS NULL OR m.seen = '' OR btrim(half_width(p.AAC003)) = m.seen) AND (m.wanted IS NULL OR m.wanted = '' OR NOT coalesce(btrim(half_width(p.AAC003)) = m.wanted, false))
GROUP BY p._key
