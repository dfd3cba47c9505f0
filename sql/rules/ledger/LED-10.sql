-- id: LED-10
-- title: 欠费表与未到账明细不符 / the arrears table differs from the details that have not arrived
-- advice: 按未到账明细批量重建欠费；无未到账明细的先核实是否已清欠或明细缺失 / rebuild the arrears from the details in a batch; where no detail is owed, verify first whether it was settled or details are lost
-- severity: E
-- repair: A1
-- department: 经办
-- evidence: 未到账明细
-- basis: reference 5.6, 1 (T23)
-- table: AD23
-- column: AAE020
-- touches: AAE020, AAE022
-- effect: change
-- among: AAE140 IN ('110', '210') AND AAE003 IS NOT NULL
-- params: tolerance = 0.05
WITH
-- Persons by person_by_id.home: the arrears may stand under the pension number, the details under the number of the other side.
owed AS (
    SELECT d.AAB001, d.AAE140, d.AAE003, coalesce(b.home, d.AAC001) AS home,
           sum(coalesce(d.AAE020, 0)) AS unit_part, sum(coalesce(d.AAE022, 0)) AS person_part
    FROM AC43 AS d
    LEFT JOIN person_by_id AS b ON b.AAC001 = d.AAC001
    WHERE d.AAE140 IN ('110', '210') AND d.AAE078 = '0' AND d.AAA115 <> '20' AND coalesce(d.AAE017, '0') <> '1' AND d.AAE003 IS NOT NULL
    GROUP BY d.AAB001, d.AAE140, d.AAE003, coalesce(b.home, d.AAC001)
),
unit_owed AS (
    SELECT o.AAB001, o.AAE140, o.AAE003, sum(o.unit_part) AS unit_part, sum(o.person_part) AS person_part
    FROM owed AS o
    GROUP BY o.AAB001, o.AAE140, o.AAE003
),
arrears AS (
    SELECT q._key, q.AAB001, q.AAE140, q.AAE003, coalesce(q.AAE020, 0) AS unit_part, coalesce(q.AAE022, 0) AS person_part,
           q.AAC001 IS NULL AS of_unit, coalesce(b.home, q.AAC001) AS home
    FROM AD23 AS q
    LEFT JOIN person_by_id AS b ON b.AAC001 = q.AAC001
    WHERE q.AAE140 IN ('110', '210') AND q.AAE003 IS NOT NULL
),
placed AS (
    SELECT a._key, a.AAB001, a.AAE140, a.AAE003, a.of_unit, a.home,
           -- Several rows of one person or unit count together.
           count(*) OVER slot AS copies,
           sum(a.unit_part) OVER slot AS unit_part,
           sum(a.person_part) OVER slot AS person_part,
           sum(CASE WHEN a.of_unit THEN 1 ELSE 0 END) OVER whole AS unit_rows,
           sum(CASE WHEN a.of_unit THEN 0 ELSE 1 END) OVER whole AS person_rows,
           sum(CASE WHEN a.of_unit THEN 0 ELSE a.unit_part END) OVER whole AS unit_part_of_persons,
           sum(a.unit_part) OVER whole AS all_unit_part,
           sum(a.person_part) OVER whole AS all_person_part,
           count(*) OVER (PARTITION BY a._key) AS same_key
    FROM arrears AS a
    WINDOW slot AS (PARTITION BY a.AAB001, a.AAE140, a.AAE003, a.home), whole AS (PARTITION BY a.AAB001, a.AAE140, a.AAE003)
),
-- The unit's row holds the unit's part, and the persons' part too where they have no rows; a person's row holds the person's part, and the
-- unit's too where the unit has no row.
due AS (
    SELECT p._key, p.AAB001, p.AAE140, p.AAE003, p.unit_part, p.person_part, p.copies,
           CASE WHEN p.of_unit THEN u.AAB001 IS NOT NULL ELSE o.AAB001 IS NOT NULL END AS any_owed,
           CASE WHEN p.of_unit THEN coalesce(u.unit_part, 0) - p.unit_part_of_persons
                WHEN p.unit_rows = 0 THEN coalesce(o.unit_part, 0)
                ELSE p.unit_part END AS unit_due,
           CASE WHEN NOT p.of_unit THEN coalesce(o.person_part, 0)
                WHEN p.person_rows = 0 THEN coalesce(u.person_part, 0)
                ELSE p.person_part END AS person_due,
           -- Where the unit's month agrees as a whole, only numbers of persons differ: MRG-06 and MRG-01.
           abs(p.all_unit_part - coalesce(u.unit_part, 0)) > $tolerance AS unit_month_off,
           abs(p.all_person_part - coalesce(u.person_part, 0)) > $tolerance AS person_month_off
    FROM placed AS p
    LEFT JOIN unit_owed AS u ON u.AAB001 = p.AAB001 AND u.AAE140 = p.AAE140 AND u.AAE003 = p.AAE003
    LEFT JOIN owed AS o ON NOT p.of_unit AND o.AAB001 = p.AAB001 AND o.AAE140 = p.AAE140 AND o.AAE003 = p.AAE003 AND o.home = p.home
    WHERE p.same_key = 1
),
-- Where the ledger says that details are missing (MIS-05), the arrears must not be cut down to what is left.
short AS (
    SELECT DISTINCT l.AAB001, l.AAE140, l.AAE003
    FROM short_ledger AS l
),
summed AS (
    SELECT d._key, d.AAB001, d.AAE140, d.AAE003, d.unit_part, d.person_part, d.unit_due, d.person_due, d.copies, d.any_owed,
           d.unit_month_off AND abs(d.unit_part - d.unit_due) > $tolerance AS unit_off,
           d.person_month_off AND abs(d.person_part - d.person_due) > $tolerance AS person_off
    FROM due AS d
)
SELECT s._key,
       CASE WHEN s.unit_off AND s.copies = 1 AND s.any_owed THEN s.unit_due END AS AAE020,
       CASE WHEN s.person_off AND s.copies = 1 AND s.any_owed THEN s.person_due END AS AAE022,
       CASE WHEN s.copies > 1 OR NOT s.any_owed THEN 'V' END AS _repair,
       concat('欠费表单位', CAST(s.unit_part AS VARCHAR), '、个人', CAST(s.person_part AS VARCHAR),
              '；未到账明细单位', CAST(s.unit_due AS VARCHAR), '、个人', CAST(s.person_due AS VARCHAR),
              CASE WHEN s.copies > 1 THEN concat('；同键', CAST(s.copies AS VARCHAR), '行') ELSE '' END) AS _evidence,
       concat(CAST(s.AAB001 AS VARCHAR), ' ', s.AAE140, ' ', CAST(s.AAE003 AS VARCHAR)) AS _group
FROM summed AS s
LEFT JOIN short AS h ON h.AAB001 = s.AAB001 AND h.AAE140 = s.AAE140 AND h.AAE003 = s.AAE003
WHERE (s.unit_off OR s.person_off) AND h.AAB001 IS NULL
