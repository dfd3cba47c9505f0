-- id: REC-04
-- title: 终止之后仍有到账缴费 / contributions arrived for months after the end
-- advice: 核对到账凭证，属实的恢复为暂停并封存，由经办科补办手续 / compare with the vouchers; where the money is real the relation is restored as paused and frozen
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 到账凭证
-- basis: reference 5.2 REC-04
-- table: AC20
-- column: AAC031
-- touches: AAC031, AAE121
-- effect: change
-- among: AAC031 = '3' AND AAE140 IN ('110', '210')
SELECT c._key, '2' AS AAC031, '1' AS AAE121,
       a.months AS _score,
       concat('终止年月', CAST(n.ended AS VARCHAR), '之后到账', CAST(a.months AS VARCHAR), '个月，至', CAST(a.last_month AS VARCHAR)) AS _evidence
FROM AC20 AS c
JOIN ended_relation AS n ON n.spell_key = c._key
JOIN paid_after_end AS a ON a.AAZ159 = n.AAZ159
-- Paid after death is LOG-04's and REC-08's, after retirement LOG-05's.
WHERE NOT a.died AND NOT a.retired AND NOT a.settled
