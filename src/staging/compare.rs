//! Columns of both sides, each counted in its own way: rows, values, sums and bounds by the engine over Parquet, and by the server's SQL.
//!
//! Always: this side does not know how rows were sent, so that a mistake of the sender, which digests of what was sent cannot see, is
//! found here. Numbers compare in the national forms, text by its bytes.

use std::path::PathBuf;

use arrow::array::{Array, AsArray};

use super::checks::{Check, is_number};
use super::server::Server;
use super::{Shared, StagingError, ddl};
use crate::artifacts::{RehearsalKind, RehearsalProblem};
use crate::dataset::register;
use crate::engine::{Engine, Joins};
use crate::national::{Kind, National, Table};
use crate::sql_ident::quote;

/// What is told of each column, in this order.
const TOLD: [&str; 4] = ["values", "sum", "least", "greatest"];

/// Rows of a table, then [`TOLD`] of each column; `None` where there is no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile(Vec<Option<String>>);

/// The engine's side.
///
/// # Errors
/// `DAT-001`, `ENG-…`.
pub fn profile(engine: &Engine, table: &Table, parts: &[PathBuf]) -> Result<Profile, StagingError> {
    let mut terms = vec!["CAST(count(*) AS VARCHAR)".to_owned()];
    for column in &table.columns {
        let name = quote(&column.code);
        let value = match column.kind {
            Kind::Text(_) => name.clone(),
            Kind::Date => format!("CAST(to_char({name}, '%Y%m%d') AS BIGINT)"),
            Kind::Time => format!("CAST(to_char({name}, '%Y%m%d%H%M%S') AS BIGINT)"),
            Kind::Id | Kind::Period | Kind::Money | Kind::Rate { .. } | Kind::Int(_) => name.clone(),
        };
        let sum = match column.kind {
            Kind::Text(_) => format!("octet_length({name})"),
            Kind::Money | Kind::Rate { .. } => value.clone(),
            Kind::Id | Kind::Date | Kind::Period | Kind::Time | Kind::Int(_) => {
                format!("CAST({value} AS DECIMAL(38, 0))")
            }
        };
        terms.push(format!("CAST(count({name}) AS VARCHAR)"));
        terms.push(format!("CAST(sum({sum}) AS VARCHAR)"));
        terms.push(format!("CAST(min({value}) AS VARCHAR)"));
        terms.push(format!("CAST(max({value}) AS VARCHAR)"));
    }
    let named: Vec<String> = terms.iter().enumerate().map(|(at, term)| format!("{term} AS c{at}")).collect();
    let what = || format!("the columns of {}", table.name);
    let session = engine.session(engine.partitions(), Joins::OneSmall);
    register(&session, "t", parts)?;
    let sql = format!("SELECT {} FROM t", named.join(", "));
    let answer = engine.block_on(async { session.sql(&sql).await?.collect().await });
    let answer = answer.map_err(|e| engine.error(what(), e))?;
    let batch = answer.iter().find(|b| b.num_rows() == 1);
    let batch = batch.ok_or_else(|| StagingError::Answer { what: what() })?;
    let text = |column: &arrow::array::ArrayRef| {
        let column = column.as_string::<i32>();
        column.is_valid(0).then(|| column.value(0).to_owned())
    };
    Ok(Profile(batch.columns().iter().map(text).collect()))
}

/// The server's side.
pub(super) async fn given(of: &Shared, server: &Server, at: usize) -> Result<Profile, StagingError> {
    let table = &of.tables[at];
    let mut terms = vec!["count(*)".to_owned()];
    for column in &table.columns {
        let name = ddl::name(&column.code);
        let number = is_number(column.kind);
        let (sum, bound) = match number {
            true => (name.clone(), name.clone()),
            false => (format!("octet_length({name})"), format!("{name} COLLATE \"C\"")),
        };
        terms.push(format!("count({name})"));
        terms.push(format!("sum({sum})"));
        terms.push(format!("min({bound})"));
        terms.push(format!("max({bound})"));
    }
    let sql = format!("SELECT {} FROM {}", terms.join(", "), ddl::qualified(&of.shadow, &table.name));
    let what = format!("the columns of {}", table.name);
    let rows = server.session().await?.ask(&what, &sql).await?;
    rows.into_iter().next().map(Profile).ok_or(StagingError::Answer { what })
}

/// Columns that differ, one problem each; values stay unsaid.
pub(super) fn differences(table: &Table, staged: &Profile, given: &Profile) -> Vec<RehearsalProblem> {
    let problem = |columns: Vec<String>, what: String| RehearsalProblem {
        kind: RehearsalKind::Column,
        table: table.name.clone(),
        columns,
        what,
        rows: 0,
        samples: Vec::new(),
    };
    let mut all = Vec::new();
    if staged.0.first() != given.0.first() {
        all.push(problem(Vec::new(), "rows".to_owned()));
    }
    for (no, column) in table.columns.iter().enumerate() {
        let at = 1 + no * TOLD.len();
        let of =
            |profile: &Profile| profile.0.get(at..at + TOLD.len()).map(<[_]>::to_vec).unwrap_or_default();
        let (a, b) = (of(staged), of(given));
        let differs = |(at, word): (usize, &&str)| (a.get(at) != b.get(at)).then(|| (*word).to_owned());
        let told: Vec<String> = TOLD.iter().enumerate().filter_map(differs).collect();
        if !told.is_empty() || a.is_empty() {
            all.push(problem(vec![column.code.clone()], told.join(", ")));
        }
    }
    all
}

/// The checks of a table, asked of the engine: where there is no server.
///
/// # Errors
/// `DAT-001`, `ENG-…`.
pub fn asked_of_engine(
    engine: &Engine,
    national: &National,
    checks: &[Check],
    parts: &dyn Fn(&str) -> Vec<PathBuf>,
) -> Result<Vec<RehearsalProblem>, StagingError> {
    let mut all = Vec::new();
    for check in checks {
        let session = engine.session(engine.partitions(), Joins::Large);
        for table in check.tables() {
            register(&session, table, &parts(table))?;
        }
        let sql = format!("SELECT count(*) FROM {}", check.broken(|t| t.to_owned(), &check.codes(national)));
        let answer = engine.block_on(async { session.sql(&sql).await?.collect().await });
        let answer = answer.map_err(|e| engine.error(format!("check {}", check.name), e))?;
        let count = |b: &arrow::array::RecordBatch| {
            b.column(0).as_primitive::<arrow::datatypes::Int64Type>().value(0)
        };
        let rows = answer.iter().filter(|b| b.num_rows() == 1).map(count).sum::<i64>().unsigned_abs();
        if rows > 0 {
            all.push(check.problem(rows));
        }
    }
    Ok(all)
}
