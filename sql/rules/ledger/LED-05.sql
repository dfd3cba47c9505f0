-- id: LED-05
-- title: 个人账户本金、利息、支出与余额不平 / principal, interest and payments of an account do not give its balance
-- advice: 对账册逐项核实 / verify each against the account book
-- severity: E
-- repair: V
-- department: 养老
-- evidence: 账册
-- basis: reference 5.6; 1 (T13)
-- table: AC50
-- column: AAE240
-- effect: none
-- among: AAE238 IS NOT NULL AND AAE239 IS NOT NULL AND AAE240 IS NOT NULL
SELECT a._key,
       concat('本金', CAST(a.AAE238 AS VARCHAR), '＋利息', CAST(a.AAE239 AS VARCHAR), '－支出', CAST(a.AAE357 AS VARCHAR), '，余额', CAST(a.AAE240 AS VARCHAR)) AS _evidence
FROM AC50 AS a
WHERE a.AAE238 + a.AAE239 - a.AAE357 <> a.AAE240
