-- id: GAR-05
-- title: 短期参保人员公安查无此人或姓名不符 / briefly insured person whom the police do not know, or know under another name
-- advice: 调取公安比对回执和单位证明逐人核实：属录入错误的更正，属虚构的汇总上报省局，不得自行清理 /
--    verify each person with the police reply and the employer's statement: an error of entry is corrected, a made-up person is reported to the province
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 公安比对回执；单位证明
-- basis: reference 5.1 GAR-05
-- table: AC01
-- column: AAC147
-- effect: none
-- among: id_check(AAC147) IN ('ok', 'ok15')
-- needs: ext_police
SELECT p._key, k.why AS _evidence
FROM AC01 AS p
JOIN unknown_to_police AS k ON k.AAC001 = p.AAC001
