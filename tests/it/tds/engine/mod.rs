//! Tests the engine through its Backend and Session, without a wire: types at their edges, queries, transactions, tracking.

mod queries;
mod server;
mod values;

use crate::support::tds::engine::Engine;
use crate::support::tds::value::{Answer, Backend as _, Datum, ResultColumn, Session, SqlError, SqlType};

struct Client(Box<dyn Session>);

impl Client {
    fn sa(engine: &Engine, database: &str) -> Self {
        Self(engine.login("sa", "secret", database, "test").unwrap_or_else(|error| panic!("{error:?}")))
    }

    fn run(&mut self, sql: &str) -> Result<Vec<Answer>, SqlError> {
        let (mut answers, mut failure) = (Vec::new(), None);
        self.0.run(sql, &mut |answer| match answer {
            Ok(answer) => answers.push(answer),
            Err(error) => failure = Some(error),
        });
        failure.map_or(Ok(answers), Err)
    }

    fn exec(&mut self, sql: &str) -> u64 {
        let answers = self.run(sql).unwrap_or_else(|error| panic!("{error:?} for {sql}"));
        match answers.last() {
            Some(Answer::Done(count)) => *count,
            _ => 0,
        }
    }

    fn table(&mut self, sql: &str) -> (Vec<ResultColumn>, Vec<Vec<Datum>>) {
        let answers = self.run(sql).unwrap_or_else(|error| panic!("{error:?} for {sql}"));
        match answers.into_iter().next_back() {
            Some(Answer::Rows { columns, rows }) => (columns, rows),
            _ => panic!("no rows from {sql}"),
        }
    }

    fn rows(&mut self, sql: &str) -> Vec<Vec<Datum>> {
        self.table(sql).1
    }

    fn one(&mut self, sql: &str) -> Datum {
        self.rows(sql).swap_remove(0).swap_remove(0)
    }

    fn text(&mut self, sql: &str) -> String {
        match self.one(sql) {
            Datum::Utf16(units) => String::from_utf16_lossy(&units),
            Datum::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            other => panic!("{other:?} from {sql}"),
        }
    }

    fn int(&mut self, sql: &str) -> i64 {
        match self.one(sql) {
            Datum::Int(n) => n,
            other => panic!("{other:?} from {sql}"),
        }
    }

    fn ints(&mut self, sql: &str) -> Vec<i64> {
        let first = |row: Vec<Datum>| match row[0] {
            Datum::Int(n) => n,
            ref other => panic!("{other:?} from {sql}"),
        };
        self.rows(sql).into_iter().map(first).collect()
    }

    fn error(&mut self, sql: &str) -> u32 {
        match self.run(sql) {
            Ok(_) => panic!("no error from {sql}"),
            Err(error) => error.number,
        }
    }
}

fn lab() -> (Engine, Client) {
    let engine = Engine::start("secret").unwrap_or_else(|error| panic!("{error:?}"));
    let mut master = Client::sa(&engine, "master");
    master.exec("CREATE DATABASE lab COLLATE Chinese_PRC_CI_AS");
    let client = Client::sa(&engine, "lab");
    (engine, client)
}

fn units(text: &str) -> Datum {
    Datum::Utf16(text.encode_utf16().collect())
}

#[test]
fn a_table_is_made_filled_and_read() {
    let (_engine, mut db) = lab();
    db.exec("CREATE TABLE [dbo].[T] ([a] int NOT NULL PRIMARY KEY, [b] varchar(20) NULL, [c] nvarchar(10))");
    assert_eq!(db.exec("INSERT INTO T VALUES (1, 'x', N'白城'), (2, NULL, N''), (-3, '城', NULL)"), 3);
    let (columns, rows) =
        db.table("SELECT [a], b, c AS [名] FROM dbo.T AS t WHERE t.a > -5 ORDER BY t.[a] OPTION (MAXDOP 1)");
    assert_eq!(columns[2].name, "名");
    assert!(!columns[0].nullable && columns[1].nullable);
    assert!(
        matches!(&columns[1].kind, SqlType::VarChar { bytes: Some(20), collation } if collation.code_page == 936)
    );
    assert_eq!(
        rows,
        vec![
            vec![Datum::Int(-3), Datum::Bytes(vec![0xB3, 0xC7]), Datum::Null],
            vec![Datum::Int(1), Datum::Bytes(b"x".to_vec()), units("白城")],
            vec![Datum::Int(2), Datum::Null, units("")],
        ]
    );
    assert_eq!(db.int("SELECT COUNT_BIG(*) FROM T"), 3);
    assert_eq!(db.ints("SELECT TOP (2) a FROM T ORDER BY a DESC"), vec![2, 1]);
}

#[test]
fn errors_have_their_numbers() {
    let (_engine, mut db) = lab();
    db.exec("CREATE TABLE T (a int NOT NULL PRIMARY KEY, b varchar(3), c tinyint, d datetime, g uniqueidentifier)");
    db.exec("CREATE UNIQUE INDEX u ON T (b)");
    db.exec("INSERT INTO T (a, b) VALUES (1, 'x')");
    for (number, sql) in [
        (102, "SELECT 1 1"),
        (102, "FLY ME"),
        (105, "SELECT 'x"),
        (156, "SELECT FROM T"),
        (207, "SELECT z FROM T"),
        (4104, "SELECT q.a FROM T"),
        (208, "SELECT 1 FROM U"),
        (208, "SELECT 1 FROM sys.nothing"),
        (195, "SELECT NOTHING(1)"),
        (2627, "INSERT INTO T (a) VALUES (1)"),
        (2601, "INSERT INTO T (a, b) VALUES (2, 'X ')"),
        (515, "INSERT INTO T (b) VALUES ('y')"),
        (515, "INSERT INTO T (a) VALUES (NULL)"),
        (515, "UPDATE T SET a = NULL"),
        (2628, "INSERT INTO T (a, b) VALUES (2, 'abcd')"),
        (220, "INSERT INTO T (a, c) VALUES (2, 256)"),
        (245, "INSERT INTO T (a) VALUES ('x')"),
        (241, "INSERT INTO T (a, d) VALUES (2, 'soon')"),
        (242, "INSERT INTO T (a, d) VALUES (2, '1752-12-31')"),
        (8169, "INSERT INTO T (a, g) VALUES (2, 'x')"),
        (206, "INSERT INTO T (a, d) VALUES (2, 1e0)"),
        (213, "INSERT INTO T VALUES (1)"),
        (8134, "SELECT 1 / 0"),
        (8115, "SELECT 2147483647 + 1"),
        (8120, "SELECT a, b FROM T GROUP BY a"),
        (2714, "CREATE TABLE T (a int)"),
        (243, "CREATE TABLE U (a nonsense)"),
        (911, "USE nowhere"),
        (3902, "COMMIT"),
        (137, "SELECT @@NONSENSE"),
        (448, "SELECT N'x' COLLATE Nonsense_CI_AS"),
        (529, "SELECT CAST(CAST('x' AS text) AS varbinary(10))"),
        (257, "INSERT INTO V VALUES ('x')"),
        (4145, "SELECT 1 FROM T WHERE a"),
    ] {
        if number == 257 {
            db.exec("CREATE TABLE V (a varbinary(5))");
        }
        assert_eq!(db.error(sql), number, "{sql}");
    }
    assert_eq!(db.int("SELECT COUNT(*) FROM T"), 1);
}
