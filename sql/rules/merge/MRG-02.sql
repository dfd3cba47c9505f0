-- id: MRG-02
-- title: 同一证件号码，姓名为异体、同音、空格或曾用名之差 / same ID, names that differ by variant, sound, space or as a former name
-- advice: 核对身份证复印件和公安曾用名，确认同一人后合并 / compare with a copy of the ID card and the police record of former names, then merge
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 身份证复印件、公安
-- basis: reference 5.7
-- table: AC01
-- column: AAC003
-- effect: merge
-- among: AAC147 IS NOT NULL
WITH numbers AS (
    SELECT s.person_key, s.name_nth, s.cluster_survivor
    FROM person_same_id AS s
)
SELECT s.person_key AS _key, s.cluster_survivor AS _after_key, s.cluster_survivor AS _group
FROM numbers AS s
-- Of several numbers under the very same name MRG-01 leaves one; that one is compared here.
WHERE s.name_nth = 1 AND s.person_key <> s.cluster_survivor
