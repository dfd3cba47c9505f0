-- id: FIL-15
-- title: 已终止、中断的参保明细无原因 / closed spell without a reason
-- advice: 暂停的按统一规则批量补录；终止的对照变动记录逐人核定 / paused spells get the uniform value in a batch; ended ones are decided by the log of changes
-- severity: E
-- repair: V
-- department: 经办
-- evidence: 人员变动记录
-- basis: reference 5.4 FIL-15, 2.17; ref_uniform_values
-- table: AC20
-- column: AAE160
-- touches: AAE160
-- effect: change
-- among: AAE140 IN ('110', '210') AND AAE042 < 999912
SELECT s._key, COALESCE(e.reason, CASE WHEN s.AAC031 = '2' THEN u.value END) AS AAE160,
       CASE WHEN s.AAC031 = '2' AND (e.reason IS NULL AND u.value IS NOT NULL OR COALESCE(e.reason, '') LIKE '63%') THEN 'A1' END AS _repair,
       CASE WHEN e.reason IS NOT NULL THEN '同月变动记录' WHEN s.AAC031 = '2' AND u.value IS NOT NULL THEN '统一规则' END AS _evidence
FROM AC20 AS s
-- What the log says of the same person, unit and insurance within a month of the end, where it says one thing only.
LEFT JOIN (
  SELECT q._key AS _key, min(c.AAE160) AS reason
  FROM AC20 AS q
  JOIN AC05 AS c ON c.AAC001 = q.AAC001 AND c.AAB001 = q.AAB001 AND c.AAE140 = q.AAE140
  WHERE q.AAE042 < 999912 AND btrim(COALESCE(q.AAE160, '')) = ''
    AND c.AAC050 IN ('21', '22') AND COALESCE(c.YAE120, '0') <> '1' AND in_code('AAE160', c.AAE160)
    AND months(q.AAE042, date_period(c.AAE035)) BETWEEN -1 AND 1
  GROUP BY q._key
  HAVING min(c.AAE160) = max(c.AAE160)
) AS e ON e._key = s._key
LEFT JOIN ref_uniform_values AS u ON u."rule" = 'FIL-15' AND u."column" = 'AAE160' AND u.standing <> 'proposed'
WHERE s.AAE140 IN ('110', '210') AND s.AAE042 < 999912 AND btrim(COALESCE(s.AAE160, '')) = ''
