-- id: FIX-02
-- title: 证件号码为15位 / the citizen ID still has 15 digits
-- advice: 升位号码只是候选：号码唯一且姓名、出生、性别一致的批量采用，其余核对身份证 /
--    the 18-digit form is a candidate: taken in a batch where one person holds it and name, birth and sex agree, else compare with the ID card
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 公安信息或身份证复印件
-- basis: reference 5.3 FIX-02, 4.1, 9.8
-- table: AC01
-- column: AAC147
-- touches: AAC147
-- effect: change
-- among: COALESCE(AAC058, '01') IN ('01', '16') AND AAC147 IS NOT NULL
SELECT p._key, id18(p.AAC147) AS AAC147,
       CASE WHEN h.low = h.high AND p.AAC006 = id_birth(p.AAC147) AND p.AAC004 = id_sex(p.AAC147) THEN 'A1' END AS _repair,
       CASE WHEN h.low <> h.high THEN '同一号码（含15位折算）下有不同姓名'
            WHEN h.low = h.high AND p.AAC006 = id_birth(p.AAC147) AND p.AAC004 = id_sex(p.AAC147) THEN '号码唯一，姓名、出生日期、性别一致'
            ELSE '出生日期或性别与号码不一致，或姓名为空' END AS _evidence
FROM AC01 AS p
-- Everybody under the same number, 15 digits and 18 taken together; one name is one person.
JOIN (
  SELECT COALESCE(id18(o.AAC147), o.AAC147) AS number, min(name_key(o.AAC003)) AS low, max(name_key(o.AAC003)) AS high
  FROM AC01 AS o
  WHERE o.AAC147 IS NOT NULL AND COALESCE(o.AAC058, '01') IN ('01', '16')
  GROUP BY COALESCE(id18(o.AAC147), o.AAC147)
) AS h ON h.number = id18(p.AAC147)
WHERE COALESCE(p.AAC058, '01') IN ('01', '16') AND id_check(p.AAC147) = 'ok15'
