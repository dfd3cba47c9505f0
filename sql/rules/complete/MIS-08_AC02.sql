-- id: MIS-08
-- title: 离退休人员无参保明细 / a pensioner without a participation spell
-- advice: 凭退休审批表批量补建待遇人员关系；缴费单位不明的先核实 / add the pensioner's relation from the retirement approval; where the paying unit is not known, verify it first
-- severity: E
-- repair: A1
-- department: 养老
-- evidence: 退休审批表
-- basis: reference 5.5, 2.5
-- table: IC10
-- column: AAC001
-- adds: AC02
-- touches: AAZ159, AAC001, AAE140, AAC008, AAE030, AAC030, AAC049, AAE206, AAE013
-- effect: add
-- among: AAC001 IS NOT NULL
WITH
bare AS (
    SELECT i.AAC001, min(i._key) AS _key, max(i.AAE116) AS state, min(i.AAE206) AS account_month
    FROM IC10 AS i
    WHERE EXISTS (SELECT 1 FROM AC01 AS p WHERE p.AAC001 = i.AAC001)
      AND NOT EXISTS (SELECT 1 FROM AC02 AS r WHERE r.AAC001 = i.AAC001 AND r.AAE140 = '110')
    GROUP BY i.AAC001
),
-- Payments may still name the relation that is lost: it is restored under the same id.
paid AS (
    SELECT d.AAC001, min(d.AAZ159) AS AAZ159, min(d.AAE003) AS first_month
    FROM AC43 AS d
    WHERE d.AAE140 = '110' AND coalesce(d.AAE017, '0') <> '1' AND EXISTS (SELECT 1 FROM bare AS b WHERE b.AAC001 = d.AAC001)
    GROUP BY d.AAC001
)
SELECT b._key,
       coalesce(y.AAZ159, id('relation', 'MIS-08', b.AAC001, '110')) AS AAZ159,
       b.AAC001 AS AAC001,
       '110' AS AAE140,
       CASE b.state WHEN '1' THEN '1' WHEN '2' THEN '2' WHEN '3' THEN '4' END AS AAC008,
       period_date(y.first_month) AS AAE030,
       period_date(y.first_month) AS AAC030,
       y.first_month AS AAC049,
       b.account_month AS AAE206,
       '来源：补（据退休审批补建）' AS AAE013,
       CASE WHEN coalesce(b.state, '') NOT IN ('1', '2', '3') THEN 'V' END AS _repair,
       concat('待遇发放状态', coalesce(b.state, '空')) AS _evidence,
       CAST(b.AAC001 AS VARCHAR) AS _group
FROM bare AS b
LEFT JOIN paid AS y ON y.AAC001 = b.AAC001
