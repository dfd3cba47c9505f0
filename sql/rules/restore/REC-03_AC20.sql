-- id: REC-03
-- title: 已终止但个人账户有余额且未支付 / ended, but the account has a balance that was never paid out
-- advice: 核对账户台账：非本人申请退保或结算的恢复为暂停并封存 / compare with the account ledger; what the person never applied for is restored as paused and frozen
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 个人账户台账
-- basis: reference 5.2 REC-03
-- table: AC20
-- column: AAC031
-- touches: AAC031, AAE121
-- effect: change
-- among: AAC031 = '3' AND AAE140 IN ('110', '210')
SELECT c._key, '2' AS AAC031, '1' AS AAE121,
       CAST(n.balance AS BIGINT) AS _score,
       concat('账户余额', CAST(n.balance AS VARCHAR), '元，无支付、转出、死亡记录') AS _evidence
FROM AC20 AS c
JOIN ended_relation AS n ON n.spell_key = c._key
-- Death (REC-08) and transfer (REC-09) have rules of their own where their records are missing.
WHERE n.AAE140 = '110' AND n.balance > 0 AND NOT n.settled AND NOT n.died AND NOT n.retired
  AND coalesce(n.kind, '') NOT IN ('death', 'transfer') AND NOT n.said_transfer AND NOT coalesce(n.transferred, false)
