-- id: REC-08
-- title: 以死亡终止但另有在世证据 / ended by death, but something says that the person lives
-- advice: 核对公安、民政和资格认证：确在世的恢复为暂停并封存，退休人员由养老科处理待遇 / compare with police, civil affairs and certification; who lives is restored as paused and frozen, a pensioner's benefit is the pension section's
-- severity: E
-- repair: V
-- department: 养老
-- evidence: 公安、民政、资格认证
-- basis: reference 5.2 REC-08
-- table: AC20
-- column: AAC031
-- touches: AAC031, AAE121
-- effect: change
-- among: AAC031 = '3' AND AAE140 IN ('110', '210')
-- params: months = 2
SELECT c._key, CASE WHEN NOT n.retired AND NOT n.settled THEN '2' END AS AAC031,
       CASE WHEN NOT n.settled THEN '1' END AS AAE121,
       CASE WHEN v.month IS NOT NULL THEN '终止之后有生存认证' ELSE concat('终止之后到账', CAST(a.months AS VARCHAR), '个月') END
           || CASE WHEN n.settled THEN '；账户已支付' ELSE '' END AS _evidence
FROM AC20 AS c
JOIN ended_relation AS n ON n.spell_key = c._key
LEFT JOIN paid_after_end AS a ON a.AAZ159 = n.AAZ159
LEFT JOIN (
    SELECT s.AAC001, max(date_period(s.AAE138)) AS month FROM AC26 AS s WHERE s.AAE171 = '1' GROUP BY s.AAC001
) AS v ON v.AAC001 = n.AAC001 AND v.month > n.ended
-- One month after death is an error of payment (LOG-04); several speak for a living person.
-- Where the account was paid out nothing is proposed (REC-11).
WHERE n.kind = 'death' AND (a.months >= $months OR v.month IS NOT NULL)
