//! The queries that the connector sends, and the changes that tests make.

use super::*;

#[test]
fn keysets_groups_and_windows() {
    let (_engine, mut db) = lab();
    db.exec("CREATE TABLE [dbo].[T] (a varchar(5) NOT NULL, b decimal(10,2) NOT NULL, f float, s varchar(10), x varchar(10), i int, CONSTRAINT pk PRIMARY KEY (a, b))");
    db.exec(
        "INSERT INTO T VALUES ('a', 1.00, 1.5, 'p', 'x', 1), ('A', 12.50, -2.5, 'qq', 'X', 1), ('a', 12.51, NULL, NULL, 'y ', 2),
         ('b', -1.00, 0.1, '', NULL, 2), ('B', 99999999.99, 1e3, 'r', 'x', 1)",
    );
    let keyset = "SELECT CAST(t.b AS decimal(19,4)) AS [b], CAST([a] AS varbinary(5)) AS [a] FROM [dbo].[T] AS t
        WHERE (t.[a] >= CAST(0x61 AS varchar(5)) COLLATE Chinese_PRC_CI_AS AND (t.[a] > CAST(0x61 AS varchar(5)) COLLATE Chinese_PRC_CI_AS
        OR (t.[a] = CAST(0x61 AS varchar(5)) COLLATE Chinese_PRC_CI_AS AND t.[b] > CAST(12.50 AS decimal(10,2))))) AND (t.[a] <= 'b')
        ORDER BY t.[a], t.[b] OPTION (MAXDOP 1)";
    let found: Vec<Datum> = db.rows(keyset).into_iter().map(|mut row| row.swap_remove(0)).collect();
    assert_eq!(found, vec![Datum::Decimal(125_100), Datum::Decimal(-10000), Datum::Decimal(999_999_999_900)]);
    let groups = "SELECT CAST([x] AS varbinary(2)) AS v, DATALENGTH([x]), [i], COUNT_BIG(*) AS n, SUM(CAST([b] AS decimal(38,2))),
        SUM(CAST(DATALENGTH([s]) AS decimal(38,0))), COUNT_BIG([s]), SUM(CAST(CAST([f] * 10000e0 AS bigint) AS decimal(38,0)))
        FROM [dbo].[T] AS t GROUP BY CAST([x] AS varbinary(2)), DATALENGTH([x]), [i] ORDER BY n DESC, v";
    let rows = db.rows(groups);
    assert_eq!(rows.len(), 4);
    assert_eq!(
        rows[0],
        vec![
            Datum::Bytes(b"x".to_vec()),
            Datum::Int(1),
            Datum::Int(1),
            Datum::Int(2),
            Datum::Decimal(10_000_000_099),
            Datum::Decimal(2),
            Datum::Int(2),
            Datum::Decimal(10_015_000),
        ]
    );
    assert_eq!(rows[1][0], Datum::Null);
    let sample = "SELECT k1 FROM (SELECT CAST(t.[b] AS decimal(19,2)) AS k1, ROW_NUMBER() OVER (ORDER BY t.[a], t.[b]) AS n,
        COUNT_BIG(*) OVER () AS of_all FROM [dbo].[T] AS t TABLESAMPLE SYSTEM (12.5 PERCENT) REPEATABLE (1)) AS s
        WHERE (s.n * 3) / s.of_all <> ((s.n - 1) * 3) / s.of_all AND s.n < s.of_all ORDER BY s.n";
    assert_eq!(db.rows(sample), vec![vec![Datum::Decimal(1250)], vec![Datum::Decimal(-100)]]);
    assert_eq!(db.int("SELECT CASE WHEN MAX(b) > 5 THEN 1 ELSE 0 END FROM T"), 1);
    assert_eq!(db.ints("SELECT i FROM T GROUP BY i HAVING COUNT(*) > 2"), vec![1]);
    assert_eq!(
        db.ints("SELECT ISNULL(NULL, 3) UNION ALL SELECT COALESCE(NULL, 4) ORDER BY 1 DESC"),
        vec![4, 3]
    );
    assert_eq!(
        db.int(
            "SELECT COUNT(*) FROM T AS t WHERE EXISTS (SELECT 1 FROM T AS u WHERE u.i = t.i AND u.a <> t.a)"
        ),
        5
    );
    assert_eq!(
        db.int("SELECT COUNT(*) FROM T AS t LEFT JOIN (SELECT 7 AS q) AS u ON u.q = t.i WHERE u.q IS NULL"),
        5
    );
    assert_eq!(
        db.text("SELECT CONVERT(varchar(18), CAST(0x00000000000007D1 AS binary(8)), 1)"),
        "0x00000000000007D1"
    );
}

#[test]
fn rows_change_and_versions_grow() {
    let (engine, mut db) = lab();
    db.exec("CREATE TABLE R (k int NOT NULL PRIMARY KEY, v varchar(20), rv rowversion)");
    assert_eq!(db.one("SELECT @@DBTS"), Datum::Bytes(2000_u64.to_be_bytes().to_vec()));
    db.exec("INSERT INTO R (k, v) VALUES (1, 'a'), (2, 'b'), (3, 'c')");
    assert_eq!(db.int("SELECT CAST(MAX(rv) AS bigint) FROM R"), 2003);
    assert_eq!(db.exec("UPDATE R SET v = v + 'x' WHERE k % 2 = 1 AND k BETWEEN 1 AND 3"), 2);
    assert_eq!(db.ints("SELECT k FROM R ORDER BY rv"), vec![2, 1, 3]);
    assert_eq!(db.text("SELECT v FROM R WHERE k = 3"), "cx");
    // Keys may pass through each other.
    assert_eq!(db.exec("UPDATE R SET k = k + 1"), 3);
    assert_eq!(db.ints("SELECT k FROM R ORDER BY k"), vec![2, 3, 4]);
    assert_eq!(db.error("UPDATE R SET k = 2 WHERE k = 3"), 2627);
    let least = "SELECT CAST(MIN_ACTIVE_ROWVERSION() AS bigint)";
    let last = db.int("SELECT CAST(@@DBTS AS bigint)");
    assert_eq!(db.int(least), last + 1);
    db.exec("BEGIN TRANSACTION; INSERT INTO R (k) VALUES (9), (10)");
    let mut other = Client::sa(&engine, "lab");
    assert_eq!(other.int(least), last + 1);
    assert_eq!(other.int("SELECT COUNT(*) FROM R"), 3);
    assert_eq!(other.int("SELECT CAST(@@DBTS AS bigint)"), last + 2);
    db.exec("COMMIT TRANSACTION");
    assert_eq!(other.int(least), last + 3);
    assert_eq!(db.exec("DELETE FROM R WHERE k IN (9, 10)"), 2);
    assert_eq!(db.error("INSERT INTO R VALUES (20, 'x', 0x01)"), 273);
    assert_eq!(db.exec("INSERT INTO R VALUES (20, 'x', DEFAULT)"), 1);
    // A statement that fails leaves nothing.
    assert_eq!(db.error("INSERT INTO R (k) VALUES (30), (31), (20)"), 2627);
    assert_eq!(db.int("SELECT COUNT(*) FROM R WHERE k >= 30"), 0);
    db.exec("INSERT INTO R (k, v) SELECT k + 100, v FROM R");
    assert_eq!(db.int("SELECT COUNT(*) FROM R WHERE k > 100"), 4);
    db.exec("TRUNCATE TABLE R");
    assert_eq!(db.int("SELECT COUNT(*) FROM R"), 0);
}

#[test]
fn long_conditions_are_no_deep_ones() {
    let (_engine, mut db) = lab();
    db.exec("CREATE TABLE L (a int NOT NULL, b varchar(9) NOT NULL, PRIMARY KEY (a, b))");
    db.exec("INSERT INTO L VALUES (1, 'x'), (2, 'y'), (3000, 'z')");
    let list: Vec<String> = (1..4000).map(|n| n.to_string()).collect();
    assert_eq!(db.int(&format!("SELECT COUNT(*) FROM L WHERE a IN ({})", list.join(","))), 3);
    assert_eq!(db.int(&format!("SELECT COUNT(*) FROM L WHERE a NOT IN ({})", list.join(","))), 0);
    let pairs: Vec<String> = (1..2000).map(|n| format!("(a = {n} AND b = 'x')")).collect();
    assert_eq!(db.int(&format!("SELECT COUNT(*) FROM L WHERE {}", pairs.join(" OR "))), 1);
    assert_eq!(
        db.int("SELECT COUNT(*) FROM L WHERE SERVERPROPERTY('EngineEdition') = 3 AND a IN (SELECT 2 AS n)"),
        1
    );
    assert_eq!(db.int("SELECT COUNT(*) FROM L WHERE NOT (a = 1 OR b LIKE '[x-y]%')"), 1);
}

#[test]
fn a_mixed_list_of_values_meets_in_one_type_first() {
    let (_engine, mut db) = lab();
    db.exec("CREATE TABLE M (k int, v nvarchar(10) COLLATE Latin1_General_CI_AS, d decimal(9,3))");
    db.exec("INSERT INTO M VALUES (1, 'a', 1), (2, N'b', 1.5), (3, NULL, 2e0)");
    let rows = db.rows("SELECT v, d FROM M ORDER BY k");
    assert_eq!(rows[1], vec![units("b"), Datum::Decimal(1500)]);
    assert_eq!(rows[2], vec![Datum::Null, Datum::Decimal(2000)]);
    // A number and a word in one column of VALUES: SQL Server takes both for numbers.
    assert_eq!(db.error("INSERT INTO M (v) VALUES ('x'), (1)"), 245);
}

/// The statements of the connector, as they stand in src/source/sqlserver.
#[test]
fn the_connectors_statements_are_understood() {
    let (_engine, mut db) = lab();
    db.exec("CREATE TABLE [dbo].[T] (a varchar(8) NOT NULL, b int NOT NULL, d datetime, rv rowversion, v varchar(9) COLLATE Latin1_General_CI_AS, CONSTRAINT k PRIMARY KEY (a, b))");
    db.exec("INSERT INTO T (a, b, d) VALUES ('a', 1, '2020-01-01'), ('b', 2, NULL)");
    let facts = db.rows(
        "SELECT CAST(d.name AS nvarchar(128)), CAST(@@SERVERNAME AS nvarchar(128)), CONVERT(varchar(33), d.create_date, 126),
         CAST(d.snapshot_isolation_state AS int), CAST(CASE WHEN d.source_database_id IS NULL THEN 0 ELSE 1 END AS int),
         CAST(d.is_read_only AS int), CAST(COLLATIONPROPERTY(d.collation_name, 'CodePage') AS int) FROM sys.databases AS d WHERE d.name = DB_NAME()",
    );
    assert_eq!(facts[0][3..], [Datum::Int(0), Datum::Int(0), Datum::Int(0), Datum::Int(936)]);
    let collations = "SELECT DISTINCT CAST(c.collation_name AS nvarchar(128)), CAST(COLLATIONPROPERTY(c.collation_name, 'CodePage') AS int)
        FROM sys.columns AS c WHERE c.collation_name IS NOT NULL";
    assert_eq!(db.rows(collations).len(), 2);
    let columns = "SELECT CAST(c.object_id AS bigint), CAST(c.name AS nvarchar(128)), CAST(COALESCE(b.name, t.name) AS nvarchar(128)),
         CAST(c.max_length AS int), CAST(c.precision AS int), CAST(c.scale AS int), CAST(c.is_nullable AS int), CAST(c.collation_name AS nvarchar(128))
         FROM sys.columns AS c JOIN sys.objects AS o ON o.object_id = c.object_id JOIN sys.schemas AS s ON s.schema_id = o.schema_id
         JOIN sys.types AS t ON t.user_type_id = c.user_type_id LEFT JOIN sys.types AS b ON b.user_type_id = t.system_type_id AND t.is_user_defined = 1
         WHERE s.name = N'dbo' AND o.type IN ('U', 'V') ORDER BY c.object_id, c.column_id";
    let kinds: Vec<Datum> = db.rows(columns).into_iter().map(|mut row| row.swap_remove(2)).collect();
    assert_eq!(kinds, ["varchar", "int", "datetime", "timestamp", "varchar"].map(units));
    let rows = "SELECT CAST(p.object_id AS bigint), SUM(CAST(p.rows AS bigint)) FROM sys.partitions AS p WHERE p.index_id IN (0, 1) GROUP BY p.object_id";
    assert_eq!(db.rows(rows)[0][1], Datum::Int(2));
    let keys = "SELECT CAST(c.name AS nvarchar(128)) FROM sys.indexes AS i JOIN sys.objects AS o ON o.object_id = i.object_id
        JOIN sys.schemas AS s ON s.schema_id = o.schema_id JOIN sys.index_columns AS k ON k.object_id = i.object_id AND k.index_id = i.index_id
        JOIN sys.columns AS c ON c.object_id = k.object_id AND c.column_id = k.column_id
        WHERE s.name = N'dbo' AND i.is_unique = 1 AND i.is_disabled = 0 AND i.has_filter = 0 AND i.is_hypothetical = 0 AND k.is_included_column = 0
        ORDER BY i.object_id, i.is_primary_key DESC, i.index_id, k.key_ordinal";
    assert_eq!(db.rows(keys), vec![vec![units("a")], vec![units("b")]]);
    let rights = "SELECT CAST(o.name AS nvarchar(128)), CAST(ISNULL(HAS_PERMS_BY_NAME(QUOTENAME(s.name) + N'.' + QUOTENAME(o.name), 'OBJECT', 'SELECT'), 0) AS int)
        FROM sys.objects AS o JOIN sys.schemas AS s ON s.schema_id = o.schema_id WHERE s.name = N'dbo' AND o.type = 'U' ORDER BY o.name";
    assert_eq!(db.rows(rights)[0][1], Datum::Int(1));
    let roles = "SELECT CAST(SUSER_SNAME() AS nvarchar(128)), CAST(ISNULL(IS_SRVROLEMEMBER('sysadmin'), 0) AS int), CAST(ISNULL(IS_ROLEMEMBER('db_owner'), 0) AS int),
        CAST(ISNULL(HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'CREATE TABLE'), 0) AS int)";
    assert_eq!(db.rows(roles)[0][1], Datum::Int(1));
    let frequencies = "SELECT TOP (5) CAST(t.[a] AS varbinary(8)), COUNT_BIG(*) FROM [dbo].[T] AS t GROUP BY CAST(t.[a] AS varbinary(8)), DATALENGTH(t.[a])
        ORDER BY COUNT_BIG(*) DESC, CAST(t.[a] AS varbinary(8)) OPTION (MAXDOP 1)";
    assert_eq!(db.rows(frequencies).len(), 2);
    assert_eq!(db.error("SELECT t.a FROM T AS t GROUP BY CAST(t.a AS varbinary(8))"), 8120);
    let watermark = db.text(
        "SELECT CONVERT(varchar(18), CAST(CAST(MIN_ACTIVE_ROWVERSION() AS bigint) - 1 AS binary(8)), 1)",
    );
    assert_eq!(watermark, "0x00000000000007D2");
    assert_eq!(
        db.ints("SELECT t.b FROM T AS t WHERE t.[rv] > 0x00000000000007D1 ORDER BY t.[a], t.[b]"),
        vec![2]
    );
    let since = "SELECT t.b FROM T AS t WHERE (t.[d] >= DATEADD(second, -600, CAST('2020-01-01T00:10:00' AS datetime)) OR t.[d] IS NULL) ORDER BY t.[a]";
    assert_eq!(db.ints(since), vec![1, 2]);
    assert_eq!(db.int("SELECT CAST(@@DBTS AS bigint) - (CAST(MIN_ACTIVE_ROWVERSION() AS bigint) - 1)"), 0);
    assert_eq!(db.text("SELECT CONVERT(varchar(36), NEWID())").len(), 36);
    assert_eq!(db.int("SELECT 1 AS x OPTION (MAXDOP 1)"), 1);
    assert_eq!(
        db.one("SELECT CAST(CAST(N'白城' AS varchar(20)) AS varbinary(20))"),
        Datum::Bytes(vec![0xB0, 0xD7, 0xB3, 0xC7])
    );
}
