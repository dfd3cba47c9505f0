-- id: TOT-08
-- title: 离退休人员（按待遇发放状态） / Retirees by state of payment
-- about: 享受定期待遇的离退休人员 / who draws a pension
-- columns: insurance = 险种 / Insurance; state [IC10.AAE116] = 待遇发放状态 / State; retirees = 离退休人员（人） / Retirees
SELECT '110' AS insurance, coalesce(t.AAE116, '') AS state, count(*) AS retirees
FROM IC10 AS t
GROUP BY coalesce(t.AAE116, '')
