-- id: FIX-15
-- title: 电话、手机号码格式不符 / phone number in a wrong form
-- advice: 全角、空格、括号等书写差异自动规范，其余联系参保人更新 / spelling is normalised in the same run, other numbers are asked for
-- severity: W
-- repair: N
-- department: 经办
-- basis: reference 5.3 FIX-15, 4.12
-- table: AC01
-- column: AAE005
-- touches: AAE005
-- effect: change
-- among: AAE005 IS NOT NULL
-- params: phone = '^((0[0-9]{2,3}-?)?[2-9][0-9]{6,7}(-[0-9]{1,6})?|1[3-9][0-9]{9})$', code = '^[(]?(0[0-9]{2,3})[)—－-]*([2-9][0-9]{6,7})$',
--    filler = '00000'
SELECT p._key,
       CASE WHEN regexp_like(regexp_replace(replace(half_width(p.AAE005), ' ', ''), $code, '$1-$2'), $phone)
            THEN regexp_replace(replace(half_width(p.AAE005), ' ', ''), $code, '$1-$2') END AS AAE005,
       CASE WHEN regexp_like(regexp_replace(replace(half_width(p.AAE005), ' ', ''), $code, '$1-$2'), $phone) THEN 'A0' END AS _repair
FROM AC01 AS p
-- Seven digits are a local number. The filler of FIL-07 is no mistake.
WHERE btrim(p.AAE005) <> '' AND p.AAE005 <> $filler AND NOT regexp_like(p.AAE005, $phone)
