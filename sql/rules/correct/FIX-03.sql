-- id: FIX-03
-- title: 公民身份号码位数、字符或出生日期不合法 / length, characters or birth date of the citizen ID are impossible
-- advice: 联系参保人核对证件；仅全角、空格、小写x的自动规范 / ask the person for the ID card; full width, spaces and a small x are normalised in the same run
-- severity: B
-- repair: V
-- department: 经办
-- evidence: 身份证复印件
-- basis: reference 5.3 FIX-03, 4.1; B118, XA
-- table: AC01
-- column: AAC147
-- touches: AAC147
-- effect: change
-- among: COALESCE(AAC058, '01') IN ('01', '16') AND AAC147 IS NOT NULL
SELECT p._key,
       CASE WHEN id_check(p.AAC147) IN ('ok', 'ok15') THEN upper(btrim(half_width(p.AAC147))) END AS AAC147,
       CASE WHEN id_check(p.AAC147) IN ('ok', 'ok15') THEN 'A0' END AS _repair,
       CASE WHEN id_check(p.AAC147) IN ('ok', 'ok15') THEN 'W' END AS _severity,
       CASE WHEN residence_card(p.AAC147) THEN '是外国人永久居留身份证号码，核对证件类型'
            WHEN id_check(p.AAC147) = 'length' THEN '不是15位或18位'
            WHEN id_check(p.AAC147) = 'charset' THEN '含有非法字符'
            WHEN id_check(p.AAC147) = 'province' THEN '前两位不是省级代码'
            WHEN id_check(p.AAC147) = 'date' THEN '出生日期不存在'
            WHEN id_check(p.AAC147) = 'range' THEN '出生日期早于1900年或晚于抽取日'
            ELSE '仅书写不规范' END AS _evidence
FROM AC01 AS p
WHERE COALESCE(p.AAC058, '01') IN ('01', '16')
  AND (id_check(p.AAC147) IN ('length', 'charset', 'province', 'date', 'range')
       OR id_check(p.AAC147) IN ('ok', 'ok15') AND p.AAC147 <> upper(btrim(half_width(p.AAC147))))
