-- id: LED-11
-- title: 已补欠缴、原欠费记录未销 / arrears were paid by another row, the original row is still owed
-- advice: 凭补缴凭证销原欠费记录，当月只计一次 / close the original by the voucher of the payment; the month counts once
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 补缴凭证
-- basis: reference 5.6, 9.4
-- table: AC43
-- column: AAE078
-- effect: none
-- among: AAE140 IN ('110', '210') AND AAA115 = '10' AND AAE078 = '0'
WITH
-- No value is proposed: an original set to arrived would count its money twice (9.4: the payment's money counts, its month does not).
paid AS (
    SELECT x.AAC001, x.AAE140, x.AAE003, count(*) AS payments, max(x.AAE002) AS ledger_period,
           sum(coalesce(x.AAE020, 0) + coalesce(x.AAE022, 0)) AS amount
    FROM AC43 AS x
    WHERE x.AAE140 IN ('110', '210') AND x.YAA115 = '2' AND x.AAE078 = '1' AND coalesce(x.AAE017, '0') <> '1'
    GROUP BY x.AAC001, x.AAE140, x.AAE003
)
SELECT d._key,
       min(concat('欠缴', CAST(coalesce(d.AAE020, 0) + coalesce(d.AAE022, 0) AS VARCHAR), '，补缴', CAST(p.payments AS VARCHAR), '笔共',
              CAST(p.amount AS VARCHAR), '，做账期号', coalesce(CAST(p.ledger_period AS VARCHAR), '空'))) AS _evidence,
       min(concat(CAST(d.AAC001 AS VARCHAR), ' ', d.AAE140, ' ', CAST(d.AAE003 AS VARCHAR))) AS _group
FROM AC43 AS d
JOIN paid AS p ON p.AAC001 = d.AAC001 AND p.AAE140 = d.AAE140 AND p.AAE003 = d.AAE003
WHERE d.AAA115 = '10' AND d.AAE078 = '0' AND coalesce(d.YAA115, '0') <> '2' AND coalesce(d.AAE017, '0') <> '1'
GROUP BY d._key
