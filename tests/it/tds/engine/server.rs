//! Transactions, change tracking, the catalogue, rights, and the switches of the tests.

use crate::support::tds::engine::Quirks;

use super::*;

#[test]
fn transactions_and_snapshots() {
    let (engine, mut db) = lab();
    db.exec("CREATE TABLE T (a int NOT NULL PRIMARY KEY); INSERT INTO T VALUES (1)");
    let mut reader = Client::sa(&engine, "lab");
    reader.exec("SET TRANSACTION ISOLATION LEVEL SNAPSHOT; BEGIN TRANSACTION");
    assert_eq!(reader.error("SELECT COUNT(*) FROM T"), 3952);
    assert_eq!(reader.int("SELECT COUNT(*) FROM sys.tables"), 1);
    reader.exec("ROLLBACK TRANSACTION");
    db.exec("ALTER DATABASE lab SET ALLOW_SNAPSHOT_ISOLATION ON");
    reader.exec("BEGIN TRANSACTION");
    assert_eq!(reader.int("SELECT COUNT(*) FROM T"), 1);
    db.exec("INSERT INTO T VALUES (2)");
    assert_eq!(reader.int("SELECT COUNT(*) FROM T"), 1);
    assert_eq!(reader.error("INSERT INTO T VALUES (3)"), 3960);
    reader.exec("COMMIT TRANSACTION");
    assert_eq!(reader.int("SELECT COUNT(*) FROM T"), 2);
    reader.exec("SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SET LOCK_TIMEOUT 100; SET DEADLOCK_PRIORITY LOW; SET NOCOUNT ON; SET ROWCOUNT 0; SET TEXTSIZE 2147483647; SET DATEFORMAT ymd; SET ANSI_NULLS ON");
    reader.exec("BEGIN TRANSACTION");
    assert_eq!(reader.int("SELECT COUNT(*) FROM T"), 2);
    db.exec("BEGIN TRANSACTION; INSERT INTO T VALUES (3)");
    assert_eq!(reader.int("SELECT COUNT(*) FROM T"), 2);
    assert_eq!(reader.error("INSERT INTO T VALUES (4)"), 1222);
    db.exec("COMMIT");
    assert_eq!(reader.int("SELECT COUNT(*) FROM T"), 3);
    assert_eq!(reader.int("SELECT @@TRANCOUNT"), 1);
    reader.exec("DELETE FROM T; ROLLBACK");
    assert_eq!(reader.int("SELECT COUNT(*) FROM T"), 3);
    db.exec("CREATE DATABASE snap ON (NAME = lab, FILENAME = 'x') AS SNAPSHOT OF lab");
    db.exec("DELETE FROM T WHERE a < 3");
    let mut snap = Client::sa(&engine, "snap");
    assert_eq!(snap.int("SELECT COUNT(*) FROM T"), 3);
    assert_eq!(snap.error("DELETE FROM T"), 3906);
    assert_eq!(snap.int("SELECT COUNT(*) FROM sys.databases WHERE source_database_id = DB_ID('lab')"), 1);
    db.exec("DROP DATABASE snap");
    db.exec("ALTER DATABASE lab SET READ_ONLY WITH ROLLBACK IMMEDIATE");
    assert_eq!(db.error("INSERT INTO T VALUES (9)"), 3906);
    db.exec("ALTER DATABASE lab SET READ_WRITE");
    db.exec("IF OBJECT_ID(N'dbo.T', 'U') IS NOT NULL DROP TABLE T; DROP TABLE IF EXISTS T");
    assert_eq!(db.error("SELECT 1 FROM T"), 208);
}

#[test]
fn change_tracking_gives_net_changes() {
    let (engine, mut db) = lab();
    assert_eq!(db.one("SELECT CHANGE_TRACKING_CURRENT_VERSION()"), Datum::Null);
    db.exec("CREATE TABLE [dbo].[T] (a int NOT NULL, s varchar(5) NOT NULL, v int, PRIMARY KEY (a, s))");
    assert_eq!(db.error("ALTER TABLE T ENABLE CHANGE_TRACKING"), 22116);
    db.exec("ALTER DATABASE lab SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 2 DAYS, AUTO_CLEANUP = ON)");
    db.exec("ALTER TABLE T ENABLE CHANGE_TRACKING WITH (TRACK_COLUMNS_UPDATED = OFF)");
    assert_eq!(db.int("SELECT CHANGE_TRACKING_CURRENT_VERSION()"), 0);
    db.exec("INSERT INTO T VALUES (1, 'x', 0), (2, 'x', 0), (3, 'x', 0)");
    assert_eq!(db.int("SELECT CHANGE_TRACKING_CURRENT_VERSION()"), 1);
    let minimum = "SELECT CHANGE_TRACKING_MIN_VALID_VERSION(OBJECT_ID(N'[dbo].[T]'))";
    assert_eq!(db.int(minimum), 0);
    db.exec("BEGIN TRANSACTION; UPDATE T SET v = 1 WHERE a = 1; DELETE FROM T WHERE a = 2; COMMIT");
    db.exec("INSERT INTO T VALUES (4, 'x', 0); DELETE FROM T WHERE a = 4");
    db.exec("INSERT INTO T VALUES (5, 'x', 0)");
    db.exec("UPDATE T SET v = 9 WHERE a = 99");
    assert_eq!(db.int("SELECT CHANGE_TRACKING_CURRENT_VERSION()"), 5);
    let changed =
        "SELECT t.a FROM [dbo].[T] AS t WHERE EXISTS (SELECT 1 FROM CHANGETABLE(CHANGES [dbo].[T], 1) AS c
        WHERE c.[a] = t.[a] AND c.[s] = t.[s] AND c.SYS_CHANGE_OPERATION <> N'D') ORDER BY t.a";
    let gone = "SELECT c.[a], CAST(c.s AS varbinary(5)) FROM CHANGETABLE(CHANGES [dbo].[T], 1) AS c WHERE c.SYS_CHANGE_OPERATION = N'D' ORDER BY c.[a]";
    assert_eq!(db.ints(changed), vec![1, 5]);
    assert_eq!(db.ints(gone), vec![2, 4]);
    // A new key is a delete and an insert; keys that pass through each other stay.
    db.exec("UPDATE T SET a = a + 1 WHERE a IN (3, 5)");
    db.exec("UPDATE T SET a = a + 2");
    let operations = "SELECT c.a, CAST(c.SYS_CHANGE_OPERATION AS varchar(1)) FROM CHANGETABLE(CHANGES T, 5) AS c ORDER BY c.a";
    let found: Vec<(Datum, Datum)> =
        db.rows(operations).into_iter().map(|mut row| (row.remove(0), row.remove(0))).collect();
    let pair = |key: i64, letter: &str| (Datum::Int(key), Datum::Bytes(letter.as_bytes().to_vec()));
    assert_eq!(
        found,
        vec![pair(1, "D"), pair(3, "I"), pair(4, "D"), pair(5, "D"), pair(6, "I"), pair(8, "I")]
    );
    let version = db.int("SELECT CHANGE_TRACKING_CURRENT_VERSION()");
    engine.forget_changes("lab", "T").expect("a tracked table");
    assert!(db.int(minimum) > version);
    db.exec("TRUNCATE TABLE T");
    let version = db.int("SELECT CHANGE_TRACKING_CURRENT_VERSION()");
    assert_eq!(db.int(minimum), version);
    db.exec("ALTER TABLE T DISABLE CHANGE_TRACKING");
    assert_eq!(db.one(minimum), Datum::Null);
    assert_eq!(db.error(changed), 22105);
    db.exec("ALTER TABLE T ENABLE CHANGE_TRACKING");
    assert!(db.int(minimum) > version);
    assert_eq!(db.int("SELECT COUNT(*) FROM sys.change_tracking_databases WHERE database_id = DB_ID()"), 1);
    assert_eq!(
        db.int("SELECT COUNT(*) FROM sys.change_tracking_tables AS c WHERE c.object_id = OBJECT_ID('T')"),
        1
    );
}

/// A table with a column of almost every type, an index, and a view.
fn catalogue(db: &mut Client) {
    db.exec(
        "CREATE TABLE [dbo].[C t] (a int NOT NULL, b numeric(10,2), c decimal(38,38), d varchar(max), e nvarchar(10) COLLATE Latin1_General_CI_AS,
         f datetime2(3), g timestamp, h sysname, i sql_variant, j char(7), k time(0), l datetimeoffset(7), m float, n real, o xml, p image,
         CONSTRAINT PK_C PRIMARY KEY NONCLUSTERED (a DESC))",
    );
    db.exec("CREATE UNIQUE INDEX u ON [C t] (j, b)");
    db.exec("CREATE VIEW v AS SELECT a, b AS bb FROM [C t]");
    db.exec("INSERT INTO [C t] (a, b, h) VALUES (1, 1, N'x'), (2, 2, N'y')");
}

#[test]
fn the_catalogue_shows_sql_servers_ids() {
    let (_engine, mut db) = lab();
    catalogue(&mut db);
    let rows = db.rows(
        "SELECT c.name, c.system_type_id, c.user_type_id, c.max_length, c.precision, c.scale, t.name FROM sys.columns AS c
         INNER JOIN sys.types t ON t.user_type_id = c.user_type_id WHERE c.object_id = OBJECT_ID(N'[dbo].[C t]') ORDER BY c.column_id",
    );
    let expect = [
        ("a", 56, 56, 4, 10, 0, "int"),
        ("b", 108, 108, 9, 10, 2, "numeric"),
        ("c", 106, 106, 17, 38, 38, "decimal"),
        ("d", 167, 167, -1, 0, 0, "varchar"),
        ("e", 231, 231, 20, 0, 0, "nvarchar"),
        ("f", 42, 42, 7, 23, 3, "datetime2"),
        ("g", 189, 189, 8, 0, 0, "timestamp"),
        ("h", 231, 256, 256, 0, 0, "sysname"),
        ("i", 98, 98, 8016, 0, 0, "sql_variant"),
        ("j", 175, 175, 7, 0, 0, "char"),
        ("k", 41, 41, 3, 8, 0, "time"),
        ("l", 43, 43, 10, 34, 7, "datetimeoffset"),
        ("m", 62, 62, 8, 53, 0, "float"),
        ("n", 59, 59, 4, 24, 0, "real"),
        ("o", 241, 241, -1, 0, 0, "xml"),
        ("p", 34, 34, 16, 0, 0, "image"),
    ];
    assert_eq!(rows.len(), expect.len());
    for (row, (name, system, user, length, precision, scale, shown)) in rows.into_iter().zip(expect) {
        let ints = [system, user, length, precision, scale].map(Datum::Int);
        assert_eq!(row[0], units(name));
        assert_eq!(row[1..6], ints, "{name}");
        assert_eq!(row[6], units(shown));
    }
    assert_eq!(db.text("SELECT collation_name FROM sys.columns WHERE name = N'E'"), "Latin1_General_CI_AS");
}

#[test]
fn the_catalogue_answers_as_ordinary_tables_do() {
    let (_engine, mut db) = lab();
    catalogue(&mut db);
    let key = "SELECT ic.key_ordinal, ic.is_descending_key, i.is_primary_key, i.type FROM sys.indexes i
        JOIN sys.index_columns ic ON ic.object_id = i.object_id AND ic.index_id = i.index_id
        WHERE i.object_id = OBJECT_ID('C t') AND i.is_unique = 1 AND i.is_disabled = 0 AND i.has_filter = 0 AND i.is_hypothetical = 0
        ORDER BY i.index_id, ic.key_ordinal";
    assert_eq!(db.ints(key), vec![1, 1, 2]);
    assert_eq!(db.int("SELECT SUM(p.rows) FROM sys.partitions p WHERE p.object_id = OBJECT_ID(N'[C t]') AND p.index_id IN (0, 1)"), 2);
    assert_eq!(db.int("SELECT SUM(row_count) FROM sys.dm_db_partition_stats WHERE index_id < 2"), 2);
    assert_eq!(db.text("SELECT s.name + N'.' + o.name FROM sys.objects o LEFT JOIN sys.schemas s ON s.schema_id = o.schema_id WHERE o.type = 'V' AND o.is_ms_shipped = 0"), "dbo.v");
    assert_eq!(db.int("SELECT COUNT(*) FROM sys.tables WHERE SCHEMA_NAME(schema_id) = N'dbo' AND OBJECT_NAME(object_id) = name"), 1);
    assert_eq!(db.text("SELECT CAST(collation_name AS nvarchar(128)) FROM sys.databases WHERE name = DB_NAME() AND state_desc = N'ONLINE'"), "Chinese_PRC_CI_AS");
    assert_eq!(db.int("SELECT CAST(COLLATIONPROPERTY(N'Chinese_PRC_CI_AS', 'CodePage') AS int)"), 936);
    assert!(db.text("SELECT CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128))").starts_with("15."));
    assert_eq!(db.int("SELECT CAST(SERVERPROPERTY('EngineEdition') AS int)"), 3);
    assert_eq!(
        db.text("SELECT CAST(DATABASEPROPERTYEX(DB_NAME(), 'Updateability') AS nvarchar(128))"),
        "READ_WRITE"
    );
    assert!(db.text("SELECT @@VERSION").contains("SQL Server"));
    assert_eq!(db.text("SELECT SUSER_SNAME() + N' ' + USER_NAME() + N' ' + CURRENT_USER"), "sa dbo dbo");
    assert_eq!(
        db.int(
            "SELECT COUNT(*) FROM sys.dm_exec_sessions WHERE session_id = @@SPID AND program_name = N'test'"
        ),
        1
    );
    assert_eq!(
        db.text("SELECT encrypt_option FROM sys.dm_exec_connections WHERE session_id = @@SPID"),
        "FALSE"
    );
    db.exec("ALTER TABLE [C t] ADD q int NULL; ALTER TABLE [C t] ADD r varchar(5) NOT NULL DEFAULT 'z'");
    assert_eq!(db.text("SELECT TOP 1 r FROM [C t]"), "z");
    assert_eq!(db.error("ALTER TABLE [C t] ALTER COLUMN r nvarchar(3)"), 5074);
    db.exec("ALTER TABLE [C t] ALTER COLUMN q nvarchar(3); ALTER TABLE [C t] DROP COLUMN q");
}

#[test]
fn columns_change_their_type() {
    let (_engine, mut db) = lab();
    db.exec("CREATE TABLE A (k int NOT NULL PRIMARY KEY, v varchar(10), w int)");
    db.exec("INSERT INTO A VALUES (1, '12', 300), (2, NULL, 4)");
    db.exec("ALTER TABLE A ALTER COLUMN v decimal(10,2)");
    assert_eq!(db.one("SELECT v FROM A WHERE k = 1"), Datum::Decimal(1200));
    assert_eq!(db.error("ALTER TABLE A ALTER COLUMN w tinyint"), 220);
    assert_eq!(db.error("ALTER TABLE A ALTER COLUMN v int NOT NULL"), 515);
    assert_eq!(db.error("ALTER TABLE A ALTER COLUMN k bigint"), 5074);
    assert_eq!(db.error("ALTER TABLE A DROP COLUMN k"), 5074);
    db.exec("ALTER TABLE A DROP COLUMN w; ALTER TABLE A ADD w date");
    assert_eq!(db.rows("SELECT * FROM A ORDER BY k")[1], vec![Datum::Int(2), Datum::Null, Datum::Null]);
}

#[test]
fn rights_are_checked() {
    let (engine, mut db) = lab();
    db.exec("CREATE TABLE T (a int); CREATE TABLE U (a int); CREATE LOGIN reader WITH PASSWORD = 'p'");
    assert!(engine.login("reader", "wrong", "lab", "x").is_err_and(|error| error.number == 18456));
    assert!(engine.login("reader", "p", "lab", "x").is_err_and(|error| error.number == 4060));
    assert!(engine.login("sa", "secret", "nowhere", "x").is_err_and(|error| error.number == 4060));
    db.exec("CREATE USER reader FOR LOGIN reader; GRANT SELECT ON [dbo].[T] TO reader");
    let mut reader = Client(engine.login("reader", "p", "lab", "qianyi").expect("a login"));
    assert_eq!(reader.int("SELECT COUNT(*) FROM T"), 0);
    assert_eq!(reader.error("SELECT COUNT(*) FROM U"), 229);
    assert_eq!(reader.error("INSERT INTO T VALUES (1)"), 229);
    assert_eq!(reader.error("CREATE TABLE V (a int)"), 262);
    assert_eq!(reader.int("SELECT COUNT(*) FROM sys.tables"), 1);
    let perms = "SELECT HAS_PERMS_BY_NAME(N'[dbo].[T]', 'OBJECT', 'SELECT') + 10 * HAS_PERMS_BY_NAME(N'[dbo].[T]', 'OBJECT', 'INSERT')
        + 100 * HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'CREATE TABLE') + 1000 * HAS_PERMS_BY_NAME(NULL, NULL, 'VIEW SERVER STATE')
        + 10000 * IS_SRVROLEMEMBER('sysadmin') + 100000 * IS_ROLEMEMBER('db_datawriter') + 1000000 * IS_MEMBER('db_owner')";
    assert_eq!(reader.int(perms), 1);
    assert_eq!(db.int(perms), 1_011_111);
    assert_eq!(
        reader.int("SELECT SUM(HAS_PERMS_BY_NAME(QUOTENAME(SCHEMA_NAME(t.schema_id)) + N'.' + QUOTENAME(t.name), 'OBJECT', 'SELECT')) FROM sys.tables t"),
        1
    );
    db.exec("ALTER ROLE db_datareader ADD MEMBER reader; GRANT VIEW SERVER STATE TO reader");
    assert_eq!(reader.int("SELECT COUNT(*) FROM U"), 0);
    let waits = "SELECT COUNT(*) FROM sys.dm_exec_requests r JOIN sys.dm_exec_sessions s ON s.session_id = r.blocking_session_id WHERE s.program_name = N'qianyi'";
    assert_eq!(reader.int(waits), 0);
    engine.block(true);
    assert_eq!(reader.int(waits), 1);
    engine.block(false);
    assert_eq!(reader.int(waits), 0);
}

#[test]
fn quirks_make_another_server() {
    let (engine, mut db) = lab();
    db.exec("CREATE TABLE Q (a varchar(10)); INSERT INTO Q VALUES ('白')");
    engine.set_quirks(Quirks {
        no_dm_views: true,
        no_min_active_rowversion: true,
        no_change_tracking: true,
        wrong_varbinary_code_page: true,
        wrong_char_code_page: false,
        no_option_clause: true,
        stale_row_counts: true,
    });
    assert_eq!(db.error("SELECT 1 FROM sys.dm_exec_requests"), 208);
    assert_eq!(db.error("SELECT MIN_ACTIVE_ROWVERSION()"), 195);
    assert_eq!(db.error("SELECT CHANGE_TRACKING_CURRENT_VERSION()"), 195);
    assert_eq!(db.error("SELECT 1 FROM sys.change_tracking_tables"), 208);
    assert_eq!(db.one("SELECT CAST(a AS varbinary(10)) FROM Q"), Datum::Bytes(b"?".to_vec()));
    assert!(matches!(db.error("SELECT a FROM Q OPTION (MAXDOP 1)"), 102 | 156));
    assert_eq!(db.int("SELECT SUM(rows) FROM sys.partitions"), 0);
    engine.set_quirks(Quirks::default());
    assert_eq!(
        db.one("SELECT CAST(a AS varbinary(10)) FROM Q OPTION (MAXDOP 1)"),
        Datum::Bytes(vec![0xB0, 0xD7])
    );
}

#[test]
fn a_hundred_thousand_rows_go_in_and_out_by_key() {
    let (_engine, mut db) = lab();
    db.exec("CREATE TABLE [dbo].[Big] (a varchar(10) NOT NULL, b int NOT NULL, c decimal(18,4), d datetime2(7), e nvarchar(20), PRIMARY KEY (a, b))");
    let start = std::time::Instant::now();
    for block in 0..100 {
        let rows = (0..1000).map(|n| {
            let key = block * 1000 + n;
            format!("('k{:03}', {key}, {key}.5, '2020-01-01T00:00:00.1234567', N'白城{key}')", key / 100)
        });
        db.exec(&format!("INSERT INTO Big VALUES {}", rows.collect::<Vec<_>>().join(",")));
    }
    println!("inserted in {:?}", start.elapsed());
    let start = std::time::Instant::now();
    let (mut last, mut count) = ("0x".to_owned() + "20", 0);
    let mut number = -1;
    loop {
        let page = db.rows(&format!(
            "SELECT TOP (5000) CAST([a] AS varbinary(10)), [b], CAST([c] AS decimal(19,4)), d, CAST(e AS varbinary(40)) FROM [dbo].[Big] AS t
             WHERE (t.[a] >= CAST({last} AS varchar(10)) COLLATE Chinese_PRC_CI_AS AND (t.[a] > CAST({last} AS varchar(10)) COLLATE Chinese_PRC_CI_AS
             OR (t.[a] = CAST({last} AS varchar(10)) COLLATE Chinese_PRC_CI_AS AND t.[b] > {number}))) ORDER BY t.[a], t.[b] OPTION (MAXDOP 1)"
        ));
        let Some(row) = page.last() else { break };
        if let (Datum::Bytes(bytes), Datum::Int(b)) = (&row[0], &row[1]) {
            last = "0x".to_owned() + &bytes.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
            number = i32::try_from(*b).expect("an int");
        }
        count += page.len();
    }
    assert_eq!(count, 100_000);
    println!("read in {:?}", start.elapsed());
    let start = std::time::Instant::now();
    assert_eq!(db.one("SELECT SUM(CAST(c AS decimal(38,4))) FROM Big"), Datum::Decimal(50_000_000_000_000));
    println!("summed in {:?}", start.elapsed());
    assert!(start.elapsed().as_secs() < 30);
}

#[test]
fn readers_are_not_held_up_by_a_writer() {
    let (engine, mut db) = lab();
    db.exec("CREATE TABLE T (a int NOT NULL PRIMARY KEY, b int); CREATE UNIQUE INDEX u ON T (b)");
    db.exec("BEGIN TRANSACTION; INSERT INTO T VALUES (1, NULL)");
    // A failed statement leaves the transaction and what it did before.
    assert_eq!(db.error("INSERT INTO T VALUES (2, NULL)"), 2601);
    assert_eq!(db.int("SELECT COUNT(*) FROM T"), 1);
    let mut other = Client::sa(&engine, "lab");
    assert_eq!(
        other.int("SELECT COUNT(*) FROM sys.columns AS c JOIN sys.tables AS t ON t.object_id = c.object_id"),
        2
    );
    assert_eq!(other.int("SELECT SUM(rows) FROM sys.partitions WHERE index_id = 1"), 0);
    drop(db);
    assert_eq!(other.int("SELECT COUNT(*) FROM T"), 0);
    assert_eq!(other.exec("INSERT INTO T VALUES (1, 1), (2, 2)"), 2);
    other.exec("DROP INDEX u ON T; UPDATE T SET b = 5");
    assert_eq!(other.error("CREATE UNIQUE INDEX u ON T (b)"), 1505);
    other.exec("USE [master]");
    assert_eq!(other.0.database(), "master");
    assert_eq!(other.error("SELECT 1 FROM T"), 208);
    assert_eq!(other.int("SELECT COUNT(*) FROM lab.sys.tables WHERE name = N't'"), 1);
}

#[test]
fn a_snapshot_sees_its_own_tracking_version() {
    let (engine, mut db) = lab();
    db.exec(
        "ALTER DATABASE lab SET ALLOW_SNAPSHOT_ISOLATION ON; ALTER DATABASE lab SET CHANGE_TRACKING = ON",
    );
    db.exec(
        "CREATE TABLE T (a int NOT NULL PRIMARY KEY, s varchar(9)); ALTER TABLE T ENABLE CHANGE_TRACKING",
    );
    db.exec("INSERT INTO T VALUES (1, 'x')");
    let mut reader = Client::sa(&engine, "lab");
    reader.exec("SET TRANSACTION ISOLATION LEVEL SNAPSHOT; BEGIN TRANSACTION");
    assert_eq!(reader.int("SELECT COUNT_BIG(*) FROM sys.objects"), 1);
    db.exec("INSERT INTO T VALUES (2, 'y'); DELETE FROM T WHERE a = 1");
    assert_eq!(reader.int("SELECT CHANGE_TRACKING_CURRENT_VERSION()"), 1);
    assert_eq!(reader.ints("SELECT a FROM T"), vec![1]);
    assert_eq!(reader.rows("SELECT a FROM CHANGETABLE(CHANGES T, 1) AS c").len(), 0);
    reader.exec("COMMIT TRANSACTION");
    assert_eq!(reader.rows("SELECT a FROM CHANGETABLE(CHANGES T, 1) AS c").len(), 2);
}
