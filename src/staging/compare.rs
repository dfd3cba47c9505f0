//! Columns of both sides, each counted in its own way: rows, values, sums and bounds over the columns of Parquet, and by the server's SQL.
//!
//! Always: this side does not know how rows were sent, so that a mistake of the sender, which digests of what was sent cannot see, is
//! found here. Numbers compare in the national forms, text by its bytes.

use std::collections::BTreeSet;
use std::path::PathBuf;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray};
use arrow::datatypes::{
    DECIMAL128_MAX_PRECISION, DataType, Date32Type, Decimal128Type, DecimalType, Int32Type, Int64Type,
    TimeUnit, TimestampMicrosecondType,
};

use super::checks::{Check, is_number};
use super::server::Server;
use super::{Shared, StagingError, ddl};
use crate::artifacts::{RehearsalKind, RehearsalProblem};
use crate::civil::date_of;
use crate::dataset::{read_part, register};
use crate::engine::{Engine, Joins};
use crate::national::{Kind, National, Table};

/// What is told of each column, in this order.
const TOLD: [&str; 4] = ["values", "sum", "least", "greatest"];

/// Rows of a table, then [`TOLD`] of each column; `None` where there is no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile(Vec<Option<String>>);

/// The staged side: in one pass over the parts, whatever their number.
///
/// # Errors
/// `DAT-001`, `STG-900`.
pub fn profile(table: &Table, parts: &[PathBuf]) -> Result<Profile, StagingError> {
    let mut rows = 0_u64;
    let mut all: Vec<Told> = table.columns.iter().map(|_| Told::default()).collect();
    for part in parts {
        for batch in read_part(part)? {
            let batch = batch?;
            rows += batch.num_rows() as u64;
            for (column, told) in table.columns.iter().zip(&mut all) {
                let values =
                    batch.column_by_name(&column.code).filter(|v| v.data_type() == &column.kind.arrow());
                let known = values.is_some_and(|values| told.add(values));
                if !known {
                    return Err(StagingError::Type {
                        table: table.name.clone(),
                        column: column.code.clone(),
                    });
                }
            }
        }
    }
    let columns = table.columns.iter().zip(all).flat_map(|(column, told)| told.words(column.kind));
    Ok(Profile(std::iter::once(Some(rows.to_string())).chain(columns).collect()))
}

/// What is told of a column, as far as it was read. Of text the sum is that of its bytes.
#[derive(Default)]
struct Told {
    values: u64,
    sum: i128,
    numbers: Option<(i128, i128)>,
    texts: Option<(String, String)>,
}

impl Told {
    /// False for a type that no national column has.
    fn add(&mut self, values: &ArrayRef) -> bool {
        match values.data_type() {
            DataType::Utf8 => values.as_string::<i32>().iter().flatten().for_each(|text| self.text(text)),
            DataType::Int64 => self.each::<Int64Type>(values, i128::from),
            DataType::Int32 => self.each::<Int32Type>(values, i128::from),
            DataType::Decimal128(_, _) => self.each::<Decimal128Type>(values, |n| n),
            DataType::Date32 => self.each::<Date32Type>(values, |days| day(days.into())),
            DataType::Timestamp(TimeUnit::Microsecond, None) => {
                self.each::<TimestampMicrosecondType>(values, second);
            }
            _ => return false,
        }
        true
    }

    fn each<T: ArrowPrimitiveType>(&mut self, values: &ArrayRef, number: impl Fn(T::Native) -> i128) {
        for value in values.as_primitive::<T>().iter().flatten() {
            let value = number(value);
            self.values += 1;
            self.sum += value;
            let (least, greatest) = self.numbers.unwrap_or((value, value));
            self.numbers = Some((least.min(value), greatest.max(value)));
        }
    }

    fn text(&mut self, value: &str) {
        self.values += 1;
        self.sum += value.len() as i128;
        match &mut self.texts {
            None => self.texts = Some((value.to_owned(), value.to_owned())),
            Some((least, _)) if value < least.as_str() => value.clone_into(least),
            Some((_, greatest)) if value > greatest.as_str() => value.clone_into(greatest),
            Some(_) => {}
        }
    }

    /// In the order of [`TOLD`], as the server writes them.
    fn words(self, kind: Kind) -> [Option<String>; 4] {
        let scale = match kind {
            Kind::Money => 2,
            Kind::Rate { scale, .. } => scale,
            Kind::Text(_) | Kind::Id | Kind::Date | Kind::Period | Kind::Time | Kind::Int(_) => 0,
        };
        let written = |n: i128| Decimal128Type::format_decimal(n, DECIMAL128_MAX_PRECISION, scale);
        let (least, greatest) = match (self.numbers, self.texts) {
            (Some((least, greatest)), _) => (Some(written(least)), Some(written(greatest))),
            (None, Some((least, greatest))) => (Some(least), Some(greatest)),
            (None, None) => (None, None),
        };
        let sum = (self.values > 0).then(|| written(self.sum));
        [Some(self.values.to_string()), sum, least, greatest]
    }
}

/// A day since 1970 as yyyymmdd (reference 1, N8).
fn day(days: i64) -> i128 {
    let (year, month, day) = date_of(days);
    i128::from(year * 10_000 + month * 100 + day)
}

/// A time as yyyymmddHHMMSS (N14).
fn second(micros: i64) -> i128 {
    let seconds = micros.div_euclid(1_000_000);
    let of_day = seconds.rem_euclid(86_400);
    let clock = of_day / 3600 * 10_000 + of_day / 60 % 60 * 100 + of_day % 60;
    day(seconds.div_euclid(86_400)) * 1_000_000 + i128::from(clock)
}

/// The server's side. Of a column that has no value on the staged side only the values are counted: one that has some differs already.
pub(super) async fn given(
    of: &Shared,
    server: &Server,
    at: usize,
    staged: &Profile,
) -> Result<Profile, StagingError> {
    let table = &of.tables[at];
    let mut terms = vec!["count(*)".to_owned()];
    for (no, column) in table.columns.iter().enumerate() {
        let name = ddl::name(&column.code);
        if staged.0.get(1 + no * TOLD.len()).is_some_and(|values| values.as_deref() == Some("0")) {
            terms.push(format!("count({name})"));
            terms.extend(std::iter::repeat_n("NULL".to_owned(), TOLD.len() - 1));
            continue;
        }
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
    let session = engine.session(engine.partitions(), Joins::Large);
    let tables: BTreeSet<&str> = checks.iter().flat_map(Check::tables).collect();
    for table in tables {
        register(&session, table, &parts(table))?;
    }
    for check in checks {
        let sql = format!("SELECT count(*) FROM {}", check.broken(|t| t.to_owned(), &check.codes(national)));
        let answer = engine.block_on(async { session.sql(&sql).await?.collect().await });
        let answer = answer.map_err(|e| engine.error(format!("check {}", check.name), e))?;
        let count = |b: &arrow::array::RecordBatch| b.column(0).as_primitive::<Int64Type>().value(0);
        let rows = answer.iter().filter(|b| b.num_rows() == 1).map(count).sum::<i64>().unsigned_abs();
        if rows > 0 {
            all.push(check.problem(rows));
        }
    }
    Ok(all)
}
