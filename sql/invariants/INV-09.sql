-- id: INV-09
-- title: 上次已改的问题本次不再出现 / what a rule repaired before is not found again
-- compares: 上一次运行（同样数据、同样规则）的修改记录与本次发现的问题；已撤销批次除外 / change records of the run before over the same data and rules, and what is found now; undone batches are left out
-- about: changes_before
-- broken: blocks
SELECT DISTINCT b.rule, b."table", b."column", b._key
FROM changes_before AS b
JOIN found AS f ON f.rule = b.rule AND f."table" = b."table" AND f."column" = b."column" AND f._key = b._key AND f._source = b._source
WHERE f.outcome <> 'repaired' AND (f._skey IS NOT DISTINCT FROM b._skey)
  AND NOT EXISTS (SELECT 1 FROM undone AS u WHERE u.batch = b.batch)
  -- What another rule repaired instead is repaired.
  AND NOT EXISTS (
      SELECT 1 FROM changes AS c
      WHERE c."table" = b."table" AND c."column" = b."column" AND c._key = b._key AND c._source = b._source)
