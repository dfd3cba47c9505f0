-- id: PRV-01
-- title: 省局下发问题：人员 / a problem of the province: a person
-- advice: 按省局问题描述逐人核实；情况属实的写明依据，下期省局清单不再列出的即为已整改 / verify by what the province says; what is so is waived with its basis, what the next list no longer has is settled
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 省局问题清单
-- basis: RULES 5; reference 6.3
-- table: AC01
-- column: *
-- effect: none
-- needs: ext_province_problem
SELECT p._key, string_agg(m.problem, '、' ORDER BY m.said) AS _group, string_agg(m.said, '、' ORDER BY m.said) AS _evidence
FROM AC01 AS p
JOIN (
  SELECT DISTINCT m._key, m.problem, concat('省局问题', m.problem, CASE WHEN m.rule <> '' THEN concat('（规则', m.rule, '）') ELSE '' END) AS said
  FROM province_match AS m
  WHERE m.finds = 'PRV-01' AND m.candidates = 1
) AS m ON m._key = p._key
GROUP BY p._key
