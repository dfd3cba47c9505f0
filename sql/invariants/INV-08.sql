-- id: INV-08
-- title: 同样的输入重跑，结果逐字节相同 / the same inputs give the same bytes again
-- compares: 本次与此前同样输入的一次运行，逐个文件的校验值 / the digest of every file of this run and of an earlier run over the same inputs
-- about: made_before
-- broken: blocks
SELECT coalesce(n.stage, b.stage) AS stage, coalesce(n.file, b.file) AS file
FROM made AS n
FULL JOIN made_before AS b ON b.stage = n.stage AND b.file = n.file
WHERE (n.digest IS DISTINCT FROM b.digest)
