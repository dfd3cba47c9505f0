-- id: FIL-13
-- title: 法定代表人、专管员或联系人为空 / legal representative, handler or contact is empty
-- advice: 联系单位补录 / ask the unit
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 单位提供
-- basis: reference 5.4 FIL-13
-- table: AB01
-- column: AAE045
-- effect: none
SELECT p._key
FROM AB01 AS p
-- Handler (AAB016) and contact (AAE004): the check of the structure finds them under this id.
WHERE btrim(COALESCE(p.AAE045, '')) = ''
