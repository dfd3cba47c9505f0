-- A small city whose payments are many: :rows payments, 100 a person, and the persons, relations and units that they name. The same ones
-- each time; nobody's.
CREATE TABLE dw (
    dwbh  varchar(8)   NOT NULL PRIMARY KEY,  -- unit
    dwmc  varchar(60)  NOT NULL
);

INSERT INTO dw SELECT lpad(n::text, 8, '0'), 'unit ' || n FROM generate_series(1, 1000) AS n;

CREATE TABLE gr (
    grbh  varchar(10)  NOT NULL PRIMARY KEY,  -- person
    zjhm  varchar(18)  NOT NULL,              -- number of a paper that is no citizen ID
    xm    varchar(20)  NOT NULL,
    xb    varchar(1)   NOT NULL,
    csrq  date         NOT NULL
);

INSERT INTO gr
SELECT lpad(n::text, 10, '0'), 'B' || lpad(n::text, 9, '0'), 'person ' || n, (1 + n % 2)::text, date '1960-01-01' + (n % 14000)::integer
FROM generate_series(1, (:rows + 99) / 100) AS n;

CREATE TABLE gx (
    grbh  varchar(10)  NOT NULL,
    xzlx  varchar(3)   NOT NULL,              -- insurance
    PRIMARY KEY (grbh, xzlx)
);

INSERT INTO gx SELECT grbh, xzlx FROM gr, (VALUES ('110'), ('210')) AS i (xzlx);

CREATE TABLE jfmx (
    lsh    bigint         NOT NULL PRIMARY KEY,  -- running number
    grbh   varchar(10)    NOT NULL,
    dwbh   varchar(8)     NOT NULL,
    xzlx   varchar(3)     NOT NULL,
    tzny   integer        NOT NULL,              -- period of account
    fkssq  integer        NOT NULL,              -- period the payment is for
    jflx   varchar(2)     NOT NULL,              -- kind of payment
    jfgz   numeric(10,2)  NOT NULL,              -- wage
    jfjs   numeric(10,2)  NOT NULL,              -- base
    dwjfe  numeric(16,2)  NOT NULL,              -- paid by the unit
    grjfe  numeric(16,2)  NOT NULL,              -- paid by the person
    hrje   numeric(16,2),                        -- credited to the account
    jfys   integer        NOT NULL,              -- months
    jfbz   varchar(1)     NOT NULL,              -- whether it came
    dzrq   date                                  -- day the money came
);

-- 70 months of pension and 30 of unemployment insurance a person, from 2014 on.
INSERT INTO jfmx
SELECT n,
       lpad((1 + n / 100)::text, 10, '0'),
       lpad((1 + mixed / 7 % 1000)::text, 8, '0'),
       CASE WHEN month < 70 THEN '110' ELSE '210' END,
       period, period, '10', base + 300, base,
       round(base * CASE WHEN month < 70 THEN 0.2 ELSE 0.007 END, 2),
       round(base * CASE WHEN month < 70 THEN 0.08 ELSE 0.003 END, 2),
       CASE WHEN month < 70 THEN round(base * 0.08, 2) END,
       1,
       CASE WHEN mixed % 31 = 0 THEN '0' ELSE '1' END,
       CASE WHEN mixed % 31 <> 0 THEN to_date(period || '15', 'YYYYMMDD') END
FROM (
    SELECT n, mixed, month, (2014 + at / 12) * 100 + 1 + at % 12 AS period, (2400 + mixed % 1700000 / 100.0)::numeric(10,2) AS base
    FROM (
        SELECT n, n % 100 AS month, CASE WHEN n % 100 < 70 THEN n % 100 ELSE n % 100 - 30 END AS at,
               hashint8extended(n, 42) & 4294967295 AS mixed
        FROM generate_series(0::bigint, :rows - 1) AS n
    ) AS m
) AS b;
