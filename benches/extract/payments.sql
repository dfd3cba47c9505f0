-- The table that every tool extracts: 12 columns of a payments ledger, :rows rows, the same ones each time.
CREATE TABLE payments (
    lsh   bigint         NOT NULL PRIMARY KEY,  -- running number
    grbh  varchar(10)    NOT NULL,              -- person
    dwbh  varchar(8)     NOT NULL,              -- unit
    xzlx  varchar(3)     NOT NULL,              -- insurance
    fkssq integer        NOT NULL,              -- period the payment is for
    jflx  smallint       NOT NULL,              -- kind of payment
    jfjs  numeric(10,2)  NOT NULL,              -- base
    dwjfe numeric(16,2)  NOT NULL,              -- paid by the unit
    grjfe numeric(16,2),                        -- paid by the person
    dzrq  date,                                 -- day the money came
    lrsj  timestamp      NOT NULL,              -- when it was entered
    lrr   varchar(20)                           -- who entered it
);

INSERT INTO payments
SELECT n,
       lpad((1 + mixed % 200000)::text, 10, '0'),
       lpad((1 + mixed / 7 % 9000)::text, 8, '0'),
       CASE WHEN mixed % 5 = 0 THEN '210' ELSE '110' END,
       (1998 + n / 12 % 23) * 100 + 1 + n % 12,
       CASE WHEN mixed % 50 = 0 THEN 21 ELSE 10 END,
       base,
       round(base * 0.2, 2),
       CASE WHEN mixed % 97 <> 0 THEN round(base * 0.08, 2) END,
       CASE WHEN mixed % 31 <> 0 THEN date '1998-01-15' + (n / 600 % 8400)::integer END,
       timestamp '1998-01-15 08:00:00' + n * interval '137 seconds' + mixed % 137000 * interval '1 millisecond',
       CASE WHEN mixed % 11 <> 0 THEN (ARRAY['张建国','李秀英','王芳','刘伟','陈静','杨敏','赵磊','黄丽'])[1 + mixed % 8] END
FROM (
    SELECT n, mixed, (800 + mixed % 1700000 / 100.0)::numeric(10,2) AS base
    FROM (SELECT n, hashint8extended(n, 42) & 4294967295 AS mixed FROM generate_series(1::bigint, :rows) AS n) AS m
) AS b;
