//! Counts and sums that the database itself computes, in its own spelling (FORMS 7).
//!
//! Always: integers, and no overflow: SQLite adds up billions and rests apart, which meet here in 128 bits. An exact column is summed
//! in units of its last declared digit, so that a float of the embedded database cannot drift; a float column as Σ trunc(x·10⁴); money
//! written as text by its rows and bytes. What SQLite cannot add exactly (long decimals, text in a column of numbers, text that is not
//! ASCII) comes out row by row and is added here, by the rules that rows are read by; what fits no type is left out and counted.

use std::collections::BTreeMap;

use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::{Inner, quote};
use crate::encoding::TextEncoding;
use crate::measures::{LEFT_OUT, last_digit};
use crate::phrase;
use crate::source::decode::{Value, length, spelling, unscaled};
use crate::source::summed::{self, Adds};
use crate::source::{Column, Frequency, LegacyType, Measured, SourceError, Table, TableMeasures};

/// Integers are added up as so many of these, and rests.
const PIECE: i128 = 1_000_000_000;
/// Below this many units a float has its shortest decimal at 15 digits or fewer, and SQLite finds it by one multiplication.
const FAST: &str = "1e15";
/// No product of an integer and a power of ten may be larger.
const LARGEST: i128 = 9_000_000_000_000_000_000;

/// In which encoding the text of a column is shown.
fn encoding(column: &Column) -> TextEncoding {
    column.encoding.unwrap_or(TextEncoding::Utf8)
}

/// A column to group by: text or a whole number; in which encoding it is shown.
fn groupable(source: &Inner, table: &Table, name: &str) -> Result<TextEncoding, SourceError> {
    summed::group(&source.id, table, name).map(|(column, _)| encoding(column))
}

/// Numbers that SQLite is asked about an amount.
const ASKED: usize = 4;

/// How the values of an amount add up.
enum How {
    /// Units of the last declared digit.
    Exact,
    /// 10⁻⁴, cut off.
    Float,
    /// How many values, and their bytes.
    Text(TextEncoding),
}

/// A column that is summed.
struct Amount {
    name: String,
    kind: LegacyType,
    how: How,
    /// Of its sum; text has two.
    unit: &'static str,
    /// SQL: true for a value that SQLite adds itself.
    easy: String,
    /// SQL: what it adds of such a value.
    term: String,
}

impl Amount {
    fn new(source: &Inner, table: &Table, name: &str) -> Result<Self, SourceError> {
        let (column, kind) = summed::column(&source.id, table, name)?;
        let x = quote(name);
        let (how, unit, easy, term) = match Adds::of(kind) {
            None => return Err(summed::no_amount(&source.id, table, name)),
            Some(Adds::Whole) if kind == LegacyType::Bit => {
                (How::Exact, "int", format!("{x} IN (0, 1) AND typeof({x}) = 'integer'"), x)
            }
            Some(Adds::Whole) => (How::Exact, "int", format!("typeof({x}) = 'integer'"), x),
            Some(Adds::Exact { precision, scale }) => {
                let (easy, term) = decimals(&x, precision.into(), scale.into());
                (How::Exact, last_digit(scale.into()), easy, term)
            }
            Some(Adds::Float) => {
                let easy = format!("typeof({x}) = 'real' AND abs({x}) * 10000 < 9e18");
                (How::Float, "e4", easy, format!("CAST({x} * 10000 AS INTEGER)"))
            }
            Some(Adds::Text) => {
                // As many bytes as characters: nothing but ASCII.
                let ascii = format!("typeof({x}) = 'text' AND LENGTH(CAST({x} AS BLOB)) = LENGTH({x})");
                let easy = format!("typeof({x}) IN ('blob', 'integer') OR {ascii}");
                (How::Text(encoding(column)), "bytes", easy, format!("LENGTH({x})"))
            }
        };
        Ok(Self { name: name.to_owned(), kind, how, unit, easy: format!("({easy})"), term })
    }

    /// For every row: the value, and the term where SQLite adds it itself; as `a<no>` and `u<no>`.
    fn each_row(&self, no: usize) -> String {
        let Self { easy, term, .. } = self;
        format!("{} AS a{no}, CASE WHEN {easy} THEN {term} END AS u{no}", quote(&self.name))
    }

    /// SQL: true for a value that is added here.
    fn hard(&self) -> String {
        let x = quote(&self.name);
        format!("({x} IS NOT NULL AND NOT {})", self.easy)
    }

    fn add(&self, value: Value<'_>, sum: &mut Sum) {
        let found = match self.how {
            How::Exact => unscaled(self.kind, value),
            How::Float => match value {
                Value::Real(x) => cut_off(x),
                // An integer of which nothing is lost.
                #[allow(clippy::cast_precision_loss)]
                Value::Int(x) if x.unsigned_abs() <= 1 << 53 => cut_off(x as f64),
                _ => None,
            },
            How::Text(encoding) => i128::try_from(length(value, encoding)).ok(),
        };
        match found {
            Some(v) => {
                sum.values += 1;
                sum.grow(v);
            }
            None => sum.left_out += 1,
        }
    }
}

/// trunc(x·10⁴); none for what has none: an infinite number, and what is beyond 64 bits.
#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
fn cut_off(x: f64) -> Option<i128> {
    let cut = (x * 10_000.0).trunc();
    (cut.abs() < i64::MAX as f64).then_some(cut as i128)
}

/// Which values of a decimal SQLite adds exactly, and its term for them.
pub(super) fn decimals(x: &str, precision: u32, scale: u32) -> (String, String) {
    let unit = 10_i128.pow(scale);
    let most = 10_i128.pow(precision) - 1;
    let whole = (most / unit).min(LARGEST / unit);
    let units = format!("ROUND({x} * {unit}.0)");
    let easy = format!(
        "CASE typeof({x}) WHEN 'integer' THEN {x} BETWEEN -{whole} AND {whole} \
         WHEN 'real' THEN abs({units}) < {FAST} AND abs({units}) <= {most}.0 AND {units} / {unit}.0 = {x} \
         ELSE 0 END"
    );
    let units = format!("CASE typeof({x}) WHEN 'integer' THEN {x} * {unit} ELSE {units} END");
    (easy, format!("CAST({units} AS INTEGER)"))
}

/// The sum of an amount in one group.
#[derive(Clone)]
struct Sum {
    values: i128,
    /// None: it has more digits than 128 bits hold.
    total: Option<i128>,
    left_out: i128,
}

impl Sum {
    fn grow(&mut self, by: i128) {
        self.total = self.total.and_then(|total| total.checked_add(by));
    }
}

/// The sums of one group.
struct Group {
    rows: i128,
    sums: Vec<Sum>,
}

fn value<'r>(row: &'r Row<'_>, at: usize) -> rusqlite::Result<Value<'r>> {
    Ok(match row.get_ref(at)? {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(v) => Value::Int(v),
        ValueRef::Real(v) => Value::Real(v),
        ValueRef::Text(v) => Value::Text(v),
        ValueRef::Blob(v) => Value::Bytes(v),
    })
}

/// One question about a table.
struct Question<'a> {
    source: &'a Inner,
    table: &'a Table,
    by: Vec<TextEncoding>,
    /// SQL of the columns to group by.
    groups: Vec<String>,
    amounts: Vec<Amount>,
}

impl Question<'_> {
    fn group<'g>(
        &self,
        groups: &'g mut BTreeMap<Vec<String>, Group>,
        row: &Row<'_>,
    ) -> rusqlite::Result<&'g mut Group> {
        let key = self
            .by
            .iter()
            .enumerate()
            .map(|(at, encoding)| Ok(spelling(value(row, at)?, *encoding)))
            .collect::<rusqlite::Result<Vec<_>>>()?;
        let nothing = Sum { values: 0, total: Some(0), left_out: 0 };
        let empty = || Group { rows: 0, sums: vec![nothing; self.amounts.len()] };
        Ok(groups.entry(key).or_insert_with(empty))
    }

    /// What SQLite adds itself, and whether anything is left to add. Groups that are spelled alike (the text '1' and the bytes x'31')
    /// meet here.
    fn easy(&self, groups: &mut BTreeMap<Vec<String>, Group>) -> rusqlite::Result<bool> {
        let groups_of = |collate: &str| -> Vec<String> {
            (0..self.groups.len()).map(|no| format!("g{no}{collate}")).collect()
        };
        let mut columns = groups_of("");
        columns.push("COUNT(*)".to_owned());
        for no in 0..self.amounts.len() {
            // All values; and of those that SQLite adds itself the number, the billions, the rests.
            columns.push(format!("COUNT(a{no}), COUNT(u{no}), SUM(u{no} / {PIECE}), SUM(u{no} % {PIECE})"));
        }
        let mut each_row: Vec<String> =
            self.groups.iter().enumerate().map(|(no, group)| format!("{group} AS g{no}")).collect();
        each_row.extend(self.amounts.iter().enumerate().map(|(no, amount)| amount.each_row(no)));
        if each_row.is_empty() {
            each_row.push("1".to_owned());
        }
        // The limit, which is none, keeps SQLite from computing a term again for each of its sums: half of the time.
        let mut text = format!(
            "SELECT {} FROM (SELECT {} FROM {} LIMIT -1)",
            columns.join(", "),
            each_row.join(", "),
            quote(&self.table.name)
        );
        if !self.groups.is_empty() {
            text.push_str(&format!(" GROUP BY {}", groups_of(" COLLATE BINARY").join(", ")));
        }
        let db = self.source.db();
        let mut query = db.prepare(&text)?;
        let mut rows = query.query([])?;
        let mut left = false;
        while let Some(row) = rows.next()? {
            let first = self.by.len();
            let group = self.group(groups, row)?;
            let number = |at: usize| -> rusqlite::Result<i128> {
                Ok(row.get::<_, Option<i64>>(at)?.map_or(0, i128::from))
            };
            group.rows += number(first)?;
            for (no, sum) in group.sums.iter_mut().enumerate() {
                let at = first + 1 + no * ASKED;
                let (all, added) = (number(at)?, number(at + 1)?);
                left |= all > added;
                sum.values += added;
                sum.grow(number(at + 2)? * PIECE + number(at + 3)?);
            }
        }
        Ok(left)
    }

    /// The rest, row by row.
    fn hard(&self, groups: &mut BTreeMap<Vec<String>, Group>) -> rusqlite::Result<()> {
        let any: Vec<String> = self.amounts.iter().map(Amount::hard).collect();
        let mut columns = self.groups.clone();
        for (amount, hard) in self.amounts.iter().zip(&any) {
            columns.push(format!("CASE WHEN {hard} THEN {} END", quote(&amount.name)));
        }
        let name = quote(&self.table.name);
        let text = format!("SELECT {} FROM {name} WHERE {}", columns.join(", "), any.join(" OR "));
        let db = self.source.db();
        let mut query = db.prepare(&text)?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let group = self.group(groups, row)?;
            for (no, (amount, sum)) in self.amounts.iter().zip(&mut group.sums).enumerate() {
                let value = value(row, self.by.len() + no)?;
                if value != Value::Null {
                    amount.add(value, sum);
                }
            }
        }
        Ok(())
    }
}

/// Whether these columns can be grouped by and summed.
pub(super) fn measurable(source: &Inner, table: &Table, asked: &TableMeasures) -> Result<(), SourceError> {
    asked.by.iter().try_for_each(|c| groupable(source, table, c).map(drop))?;
    asked.amounts.iter().try_for_each(|c| Amount::new(source, table, c).map(drop))
}

/// Rows, and the sums of every amount, by group; a NULL amount counts as nothing.
pub(super) fn measure(
    source: &Inner,
    table: &Table,
    asked: &TableMeasures,
) -> Result<Vec<Measured>, SourceError> {
    let by = asked.by.iter().map(|n| groupable(source, table, n)).collect::<Result<Vec<_>, _>>()?;
    let amounts =
        asked.amounts.iter().map(|n| Amount::new(source, table, n)).collect::<Result<Vec<_>, _>>()?;
    let groups = asked.by.iter().map(|n| format!("{} COLLATE BINARY", quote(n))).collect();
    let question = Question { source, table, by, groups, amounts };
    let mut found = BTreeMap::new();
    question
        .easy(&mut found)
        .and_then(|left| if left { question.hard(&mut found) } else { Ok(()) })
        .map_err(source.failed(phrase!("source.summing", table = table.name)))?;
    let mut answers = Vec::new();
    for (by, group) in found {
        let mut say = |measure: String, value: i128| {
            answers.push(Measured { by: by.clone(), measure, value });
        };
        say("rows".to_owned(), group.rows);
        for (amount, sum) in question.amounts.iter().zip(group.sums) {
            if let How::Text(_) = amount.how {
                say(format!("values:{}", amount.name), sum.values);
            }
            let total = sum.total.ok_or_else(|| summed::too_large(&source.id, table, &amount.name))?;
            say(format!("{}:{}", amount.unit, amount.name), total);
            if sum.left_out > 0 {
                say(format!("{LEFT_OUT}:{}", amount.name), sum.left_out);
            }
        }
    }
    answers.sort_unstable();
    Ok(answers)
}

/// Distinct values with their rows, most frequent first.
pub(super) fn frequencies(
    source: &Inner,
    table: &Table,
    name: &str,
    limit: u64,
) -> Result<Vec<Frequency>, SourceError> {
    let encoding = encoding(summed::column(&source.id, table, name)?.0);
    let (column, from) = (quote(name), quote(&table.name));
    let text = format!(
        "SELECT {column} COLLATE BINARY AS v, COUNT(*) AS n FROM {from} GROUP BY 1 ORDER BY n DESC, v LIMIT {limit}"
    );
    let ask = || -> rusqlite::Result<Vec<Frequency>> {
        let db = source.db();
        let mut query = db.prepare(&text)?;
        query
            .query_map([], |r| {
                let rows = u64::try_from(r.get::<_, i64>(1)?).unwrap_or(0);
                Ok(Frequency { value: spelling(value(r, 0)?, encoding), rows })
            })?
            .collect()
    };
    let mut found = ask().map_err(source.failed(phrase!("source.listing", table = table.name)))?;
    // '1' and x'31' are two values to SQLite, and one to whoever reads them.
    let mut rows: BTreeMap<String, u64> = BTreeMap::new();
    found.iter().for_each(|f| *rows.entry(f.value.clone()).or_default() += f.rows);
    if rows.len() < found.len() {
        found = rows.into_iter().map(|(value, rows)| Frequency { value, rows }).collect();
        found.sort_by(|a, b| b.rows.cmp(&a.rows).then_with(|| a.value.cmp(&b.value)));
    }
    Ok(found)
}
