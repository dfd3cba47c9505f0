-- id: GAR-10
-- title: 登记未参保人员（无关系、无缴费、无待遇） / registered, never insured: no relation, no payment, no benefit
-- advice: 列表统计；按登记未参保(0,0)上报，省局要求不上报的由信息科设置 leave_out /
--    listed and counted; loaded as registered only (0,0), or left out where the province wants it: set leave_out
-- severity: I
-- repair: N
-- department: 信息
-- evidence: 统计数和名单
-- basis: reference 5.1 GAR-10
-- table: AC01
-- column: *
-- effect: exclude
-- params: leave_out = false
SELECT p._key, CASE WHEN $leave_out THEN 'A1' END AS _repair
FROM AC01 AS p
LEFT JOIN person_trace AS t ON t.AAC001 = p.AAC001
-- Test persons are GAR-03's.
LEFT JOIN fake_person AS f ON f.AAC001 = p.AAC001
WHERE t.AAC001 IS NULL AND f.AAC001 IS NULL
