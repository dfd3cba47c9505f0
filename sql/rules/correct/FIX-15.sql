-- id: FIX-15
-- title: 电话、手机号码格式不符 / phone number in a wrong form
-- advice: 全角、空格、国家码等书写差异自动规范，其余联系参保人更新 / spelling is normalised in the same run, other numbers are asked for
-- severity: W
-- repair: N
-- department: 经办
-- basis: reference 5.3 FIX-15, 4.12
-- table: AC01
-- column: AAC067
-- touches: AAC067
-- effect: change
-- among: AAC067 IS NOT NULL
-- params: mobile = '^1[3-9][0-9]{9}$', prefix = '^(\+?86|0086|0)(1[3-9][0-9]{9})$', noise = '[ ()\-.]'
SELECT p._key,
       CASE WHEN regexp_like(regexp_replace(regexp_replace(half_width(p.AAC067), $noise, '', 'g'), $prefix, '$2'), $mobile)
            THEN regexp_replace(regexp_replace(half_width(p.AAC067), $noise, '', 'g'), $prefix, '$2') END AS AAC067,
       CASE WHEN regexp_like(regexp_replace(regexp_replace(half_width(p.AAC067), $noise, '', 'g'), $prefix, '$2'), $mobile)
            THEN 'A0' END AS _repair
FROM AC01 AS p
WHERE btrim(p.AAC067) <> '' AND NOT regexp_like(p.AAC067, $mobile)
