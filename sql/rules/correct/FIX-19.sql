-- id: FIX-19
-- title: 双改：同一编号的姓名和证件号码都改过 / both name and ID were changed on one person number
-- advice: 两人以上核查档案、公安信息，审计内控科参加，结果上报省局 /
--    two people check archive and police record, with the audit section; the result goes to the province
-- severity: E
-- repair: P
-- department: 审计
-- evidence: 档案、公安信息
-- basis: reference 5.3 FIX-19; CQ
-- table: AC01
-- column: *
-- effect: none
-- decided: twice
SELECT p._key
FROM AC01 AS p
-- 15 digits that became 18, and a suffix that went, are no change: the model says what is one. A merge donor with both is MRG-13.
JOIN person_double_change AS d ON d.AAC001 = p.AAC001
