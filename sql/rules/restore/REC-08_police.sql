-- id: REC-08
-- title: 以死亡终止但另有在世证据 / ended by death, but something says that the person lives
-- advice: 核对公安、民政和资格认证：确在世的恢复为暂停并封存，退休人员由养老科处理待遇 / compare with police, civil affairs and certification; who lives is restored as paused and frozen, a pensioner's benefit is the pension section's
-- severity: E
-- repair: V
-- department: 养老
-- evidence: 公安、民政、资格认证
-- basis: reference 5.2 REC-08
-- table: AC02
-- column: AAC008
-- touches: AAC008, AAE121
-- effect: change
-- among: AAC008 = '4' AND AAE140 IN ('110', '210')
-- needs: ext_police
SELECT r._key, CASE WHEN NOT n.settled THEN '2' END AS AAC008,
       CASE WHEN NOT n.settled THEN '1' END AS AAE121,
       CASE WHEN n.settled THEN '公安登记生存；账户已支付' ELSE '公安登记生存' END AS _evidence
FROM AC02 AS r
JOIN ended_relation AS n ON n.relation_key = r._key
JOIN (
    SELECT p.AAC001, coalesce(id18(p.AAC147), p.AAC147) AS number, name_key(name_clean(p.AAC003)) AS name
    FROM AC01 AS p
    WHERE id_check(p.AAC147) IN ('ok', 'ok15')
) AS p ON p.AAC001 = n.AAC001
JOIN (
    SELECT g.id, min(name_key(g.name)) AS name, min(name_key(g.former_name)) AS former
    FROM ext_police AS g
    GROUP BY g.id
    -- Two people under one number: which of them lives is not known.
    HAVING min(name_key(g.name)) = max(name_key(g.name)) AND min(g.alive) = '1' AND max(g.alive) = '1' AND max(coalesce(g.duplicate, '0')) <> '1'
) AS e ON e.id = p.number AND (e.name = p.name OR e.former = p.name)
WHERE n.kind = 'death'
