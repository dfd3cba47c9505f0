-- id: LOG-12
-- title: 转移接续数据不平或方向相反 / transfer data do not add up, or the direction is turned round
-- advice: 对照联系函和信息表更正 / correct by the contact letter and the information sheet
-- severity: E
-- repair: V
-- department: 养老
-- evidence: 联系函
-- basis: reference 1 (T22), 5.6
-- table: IC90
-- column: AIC102
-- effect: none
-- among: AIC083 IS NOT NULL
-- params: tolerance = 0.05
SELECT t._key,
       concat_ws('；',
           CASE WHEN abs(t.AIC102 - t.AIC083 - coalesce(t.AIC084, 0)) > $tolerance
                THEN concat('基金总额', CAST(t.AIC102 AS VARCHAR), '≠账户', CAST(t.AIC083 AS VARCHAR), '+统筹', CAST(coalesce(t.AIC084, 0) AS VARCHAR)) END,
           CASE WHEN coalesce(t.AIC093, t.AIC089, t.AIC082) IS NOT NULL
                 AND abs(t.AIC083 - coalesce(t.AIC093, 0) - coalesce(t.AIC089, 0) - coalesce(t.AIC082, 0)) > $tolerance
                THEN concat('账户转移额', CAST(t.AIC083 AS VARCHAR), '≠各段合计',
                            CAST(coalesce(t.AIC093, 0) + coalesce(t.AIC089, 0) + coalesce(t.AIC082, 0) AS VARCHAR)) END) AS _evidence
FROM IC90 AS t
-- Where only the account's total was kept there is nothing to add up.
WHERE abs(t.AIC102 - t.AIC083 - coalesce(t.AIC084, 0)) > $tolerance
   OR (coalesce(t.AIC093, t.AIC089, t.AIC082) IS NOT NULL
       AND abs(t.AIC083 - coalesce(t.AIC093, 0) - coalesce(t.AIC089, 0) - coalesce(t.AIC082, 0)) > $tolerance)
