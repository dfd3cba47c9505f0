-- row: a unit whose name is that of a test or is one repeated character, or that the city marked as a test; arrived: money has come for it
-- key: AAB001
-- params: generic = '单位|用户|账号|系统|软件|程序|数据|专用|有限|责任|公司|企业|人员|[^\p{Han}]',
--     forms = '公司|企业|集团|工厂|厂|学校|大学|中学|小学|学院|幼儿园|中心|医院|诊所|药房|研究院|设计院|研究所|事务所|所|局|委员会|协会|合作社|社|商店|店|部|馆|站|处|银行|支行|行|场|矿|队|办公室|园'
WITH
words AS (
    SELECT string_agg(w.word, '|' ORDER BY w.word) AS words
    FROM ref_test_words AS w
    WHERE w.what = 'unit'
),
named AS (
    SELECT u.AAB001, lower(btrim(half_width(u.AAB004))) AS name
    FROM AB01 AS u
),
marked AS (SELECT DISTINCT s.AAB001 FROM W_UNIT_STATE AS s WHERE s.YWS003 = '1'),
judged AS (
    SELECT n.AAB001,
           CASE WHEN m.AAB001 IS NOT NULL THEN true
                WHEN n.name = '' THEN false
                WHEN replace(n.name, substr(n.name, 1, 1), '') = '' THEN true
                -- A training school or a company that tests software is real: a name that says an organisation's form is a test only
                -- when nothing of its own is left in it.
                WHEN regexp_like(n.name, w.words)
                THEN NOT regexp_like(n.name, $forms) OR regexp_replace(n.name, concat(w.words, '|', $generic), '', 'g') = ''
                ELSE false END AS test
    FROM named AS n
    CROSS JOIN words AS w
    LEFT JOIN marked AS m ON m.AAB001 = n.AAB001
)
SELECT j.AAB001, bool_or(m.AAB001 IS NOT NULL) AS arrived
FROM judged AS j
LEFT JOIN unit_money AS m ON m.AAB001 = j.AAB001
WHERE j.test
GROUP BY j.AAB001
