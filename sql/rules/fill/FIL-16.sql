-- id: FIL-16
-- title: 失业原因或日期为空 / unemployment reason or date is empty
-- advice: 凭解除或终止劳动合同证明补录 / entered from the certificate that ended the contract
-- severity: E
-- repair: V
-- department: 失业
-- evidence: 解除、终止劳动合同证明
-- basis: reference 5.4 FIL-16
-- table: JC20
-- column: AJC093
-- effect: none
SELECT j._key
FROM JC20 AS j
-- The two dates (AJC090, AJC094): the check of the structure finds them under this id.
WHERE btrim(COALESCE(j.AJC093, '')) = ''
