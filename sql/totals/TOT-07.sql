-- id: TOT-07
-- title: 参保单位（按参保状态） / Units by state
-- about: 单位参保数：每单位每险种一条 / one line a unit and insurance
-- columns: insurance = 险种 / Insurance; state [AB02.AAB051] = 参保状态 / State; units = 参保单位（户） / Units
SELECT coalesce(u.AAE140, '') AS insurance, coalesce(u.AAB051, '') AS state, count(*) AS units
FROM AB02 AS u
GROUP BY coalesce(u.AAE140, ''), coalesce(u.AAB051, '')
