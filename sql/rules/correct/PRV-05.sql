-- id: PRV-05
-- title: 省局下发问题：单位 / a problem of the province: a unit
-- advice: 按省局问题描述核实单位信息；情况属实的写明依据，下期省局清单不再列出的即为已整改 / verify by what the province says; what is so is waived with its basis, what the next list no longer has is settled
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 省局问题清单
-- basis: RULES 5; reference 6.3
-- table: AB01
-- column: *
-- effect: none
-- needs: ext_province_problem
SELECT u._key, string_agg(m.problem, '、' ORDER BY m.said) AS _group, string_agg(m.said, '、' ORDER BY m.said) AS _evidence
FROM AB01 AS u
JOIN (
  SELECT DISTINCT m._key, m.problem, concat('省局问题', m.problem, CASE WHEN m.rule <> '' THEN concat('（规则', m.rule, '）') ELSE '' END) AS said
  FROM province_match AS m
  WHERE m.finds = 'PRV-05' AND m.candidates = 1
) AS m ON m._key = u._key
GROUP BY u._key
