-- id: MRG-08
-- title: 同一人有两个有效个人账户 / two open accounts of one person
-- advice: 先处理重复缴费，再合并余额；并出账户填终结日期，注明合并 / settle payments made twice first, then add the balances; the account that is given up gets its end date, reason merged
-- severity: E
-- repair: V
-- department: 养老
-- evidence: 账户对账单
-- basis: reference 5.7
-- table: AC50
-- column: AAZ116
-- effect: merge
-- among: (AAE100 IS DISTINCT FROM '0') AND AAE237 IS NULL
WITH
-- An account of a number that has been merged is its survivor's. A temporary account (2) may stand beside the ordinary one; two of one kind may not. The account that goes on: the older one, then the larger.
owned AS (
    SELECT a._key, a.AAZ116, a.AAE240, coalesce(g.survivor, a.AAC001) AS AAC001, a.AAA119, a.AAE206, a.AAE100, a.AAE237
    FROM AC50 AS a
    LEFT JOIN survivor_AC01 AS g ON g.AAC001 = a.AAC001
),
account AS (
    SELECT a._key, a.AAZ116, coalesce(a.AAE240, 0) AS AAE240,
           first_value(a._key) OVER (PARTITION BY a.AAC001, coalesce(a.AAA119, '1')
                                     ORDER BY a.AAE206 ASC NULLS LAST, coalesce(a.AAE240, 0) DESC, a.AAZ116) AS survivor,
           first_value(a.AAZ116) OVER (PARTITION BY a.AAC001, coalesce(a.AAA119, '1')
                                       ORDER BY a.AAE206 ASC NULLS LAST, coalesce(a.AAE240, 0) DESC, a.AAZ116) AS kept,
           first_value(coalesce(a.AAE240, 0)) OVER (PARTITION BY a.AAC001, coalesce(a.AAA119, '1')
                                       ORDER BY a.AAE206 ASC NULLS LAST, coalesce(a.AAE240, 0) DESC, a.AAZ116) AS balance
    FROM owned AS a
    WHERE (a.AAE100 IS DISTINCT FROM '0') AND a.AAE237 IS NULL AND a.AAC001 IS NOT NULL
)
SELECT a._key, a.survivor AS _after_key, a.survivor AS _group,
       min(concat('并出账户余额', CAST(a.AAE240 AS VARCHAR), '，保留账户余额', CAST(a.balance AS VARCHAR))) AS _evidence
FROM account AS a
WHERE a.AAZ116 <> a.kept
GROUP BY a._key, a.survivor
