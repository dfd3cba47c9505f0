-- id: FIL-01
-- title: 姓名为空 / name is empty
-- advice: 联系参保人，凭身份证复印件补录 / ask the person; entered from a copy of the ID card
-- severity: B
-- repair: V
-- department: 经办
-- evidence: 身份证复印件
-- basis: reference 5.4 FIL-01
-- table: AC01
-- column: AAC003
-- effect: none
SELECT p._key
FROM AC01 AS p
WHERE btrim(COALESCE(p.AAC003, '')) = ''
