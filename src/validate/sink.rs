//! Findings on their way out: built in batches, masked, sorted, counted.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringBuilder};
use futures::StreamExt;

use super::{Check, FoundRows, ValidateError};
use crate::artifacts::finding_schema;
use crate::dataset::{BATCH_ROWS, DatasetError, PART_ROWS, PartInfo, PartWriter, register, row_count};
use crate::engine::Engine;
use crate::mask::{MaskKind, mask};
use crate::national::{Column, Degree, Gate, Kind, Mandatory, Mask, National};

/// About what a finding takes in memory.
const FINDING_BYTES: u64 = 300;
/// A value without a mask of its own is shown up to this length; longer ones are no codes, dates or amounts.
const SHOWN: usize = 20;
/// So many digits in a row may be a document's number.
const DIGITS: usize = 12;

/// What a rule says about a column: its degree, what it does to the row, how bad it is.
#[derive(Debug, Clone)]
pub(super) struct RuleGate {
    pub rule: String,
    pub column: String,
    degree: &'static str,
    gate: &'static str,
    level: String,
}

impl RuleGate {
    /// By gate.csv; where it is silent, by severity: B blocks, I counts, others mark (reference 9.1).
    pub(super) fn new(national: &National, rule: &str, column: &Column) -> Self {
        let degree = match column.mandatory {
            Mandatory::Hard => Degree::Hard,
            Mandatory::Soft | Mandatory::No => Degree::Soft,
        };
        let level = national.rules.get(rule).map_or("E", |r| r.severity.as_str());
        let gate = national.gate.decide(rule, degree).unwrap_or(match level {
            "B" => Gate::Block,
            "I" => Gate::Count,
            _ => Gate::Mark,
        });
        Self {
            rule: rule.to_owned(),
            column: column.code.clone(),
            degree: degree.text(),
            gate: gate.text(),
            level: level.to_owned(),
        }
    }
}

/// A value as a finding may show it.
pub(super) fn shown(column: &Column, value: &str) -> String {
    let kind = match column.mask {
        Mask::Name => MaskKind::Name,
        Mask::Id => MaskKind::Id,
        Mask::Phone => MaskKind::Phone,
        Mask::Account => MaskKind::Account,
        Mask::Address => MaskKind::Address,
        Mask::Text => MaskKind::Text,
        // A surrogate id is a hash.
        Mask::None if column.kind == Kind::Id || plain(value) => return value.to_owned(),
        Mask::None => MaskKind::Text,
    };
    mask(kind, value)
}

/// A legacy value that did not become what the column holds: as [`shown`], but under a surrogate id it is the number that people gave.
pub(super) fn shown_unread(column: &Column, value: &str) -> String {
    match (column.mask, column.kind) {
        (Mask::None, Kind::Id) => mask(MaskKind::Number, value),
        _ => shown(column, value),
    }
}

/// Looks like a code, a date, a period or an amount: what people typed into the wrong field is masked.
fn plain(value: &str) -> bool {
    let digits = value.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or(0);
    value.len() <= SHOWN && digits < DIGITS && value.chars().all(|c| c.is_ascii_graphic() || c == ' ')
}

/// Where the row of a finding comes from.
#[derive(Clone, Copy)]
pub(super) struct RowAt<'a> {
    pub key: Option<&'a str>,
    pub source: &'a str,
    pub skey: Option<&'a str>,
}

/// Writes findings as one scratch part.
pub(super) struct Sink {
    writer: PartWriter,
    table: String,
    columns: [StringBuilder; 10],
    pending: usize,
}

impl Sink {
    pub(super) fn create(path: &Path, table: &str) -> Result<Self, ValidateError> {
        let writer = PartWriter::create(path, finding_schema())?;
        Ok(Self { writer, table: table.to_owned(), columns: Default::default(), pending: 0 })
    }

    pub(super) fn add(
        &mut self,
        verdict: &RuleGate,
        row: RowAt<'_>,
        value: Option<&str>,
    ) -> Result<(), ValidateError> {
        let [rule, table, key, column, degree, gate, level, shown, source, skey] = &mut self.columns;
        rule.append_value(&verdict.rule);
        table.append_value(&self.table);
        key.append_option(row.key);
        column.append_value(&verdict.column);
        degree.append_value(verdict.degree);
        gate.append_value(verdict.gate);
        level.append_value(&verdict.level);
        shown.append_option(value);
        source.append_value(row.source);
        skey.append_option(row.skey);
        self.pending += 1;
        if self.pending == BATCH_ROWS { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), ValidateError> {
        let columns: Vec<ArrayRef> =
            self.columns.iter_mut().map(|c| Arc::new(c.finish()) as ArrayRef).collect();
        let batch = RecordBatch::try_new(finding_schema(), columns)
            .map_err(|e| ValidateError::Impossible { what: format!("a batch of findings: {e}") })?;
        self.writer.write(&batch)?;
        self.pending = 0;
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<PartInfo, ValidateError> {
        self.flush()?;
        Ok(self.writer.finish()?)
    }
}

/// All findings of the table, sorted, without the emptiness that a read error explains; and their numbers.
pub(super) fn sorted(
    engine: &Engine,
    of: &Check<'_>,
    streamed: &[PathBuf],
    read_errors: &[PathBuf],
    keyed: &[PathBuf],
) -> Result<(Vec<PartInfo>, Vec<FoundRows>), ValidateError> {
    let rows = |parts: &[PathBuf]| parts.iter().map(|p| row_count(p)).sum::<Result<u64, DatasetError>>();
    let read_error_rows = rows(read_errors)?;
    let session = engine.session(engine.partitions(), engine.joins(read_error_rows, FINDING_BYTES));
    let mut sides = Vec::new();
    let columns = "rule, \"table\", _key, \"column\", degree, gate, level, value, _source, _skey";
    if read_error_rows > 0 {
        register(&session, "read_errors", read_errors)?;
        sides.push(
            "SELECT rule, \"table\", _key, \"column\", degree, gate, level, min(value) AS value, _source, _skey FROM read_errors \
             GROUP BY rule, \"table\", _key, \"column\", degree, gate, level, _source, _skey"
                .to_owned(),
        );
    }
    if rows(streamed)? > 0 {
        register(&session, "streamed", streamed)?;
        let explained = "RIGHT ANTI JOIN streamed AS s ON n._key = s._key AND n.\"column\" = s.\"column\" \
                         AND n._source = s._source AND coalesce(n._skey, '∅') = coalesce(s._skey, '∅')";
        sides.push(if read_error_rows > 0 {
            format!("SELECT {columns} FROM read_errors AS n {explained}")
        } else {
            format!("SELECT {columns} FROM streamed")
        });
    }
    if rows(keyed)? > 0 {
        register(&session, "keyed", keyed)?;
        sides.push(format!("SELECT {columns} FROM keyed"));
    }
    let sql = (!sides.is_empty()).then(|| {
        format!(
            "SELECT {columns} FROM ({}) ORDER BY rule, \"column\", _key, _skey, _source",
            sides.join(" UNION ALL ")
        )
    });
    write(engine, &session, of, sql)
}

fn write(
    engine: &Engine,
    session: &datafusion::prelude::SessionContext,
    of: &Check<'_>,
    sql: Option<String>,
) -> Result<(Vec<PartInfo>, Vec<FoundRows>), ValidateError> {
    let what = || format!("the findings of {}", of.table.name);
    let mut parts = Vec::new();
    let path = |no: usize| of.findings.join(format!("{no:06}.parquet"));
    let mut writer = PartWriter::create(&path(1), finding_schema())?;
    let mut found: BTreeMap<[String; 4], u64> = BTreeMap::new();
    if let Some(sql) = sql {
        engine.block_on(async {
            let stream = async { session.sql(&sql).await?.execute_stream().await };
            let mut stream = stream.await.map_err(|e| engine.error(what(), e))?;
            while let Some(batch) = stream.next().await {
                let batch = batch.map_err(|e| engine.error(what(), e))?;
                if writer.rows() >= PART_ROWS as u64 {
                    let next = PartWriter::create(&path(parts.len() + 2), finding_schema())?;
                    parts.push(std::mem::replace(&mut writer, next).finish()?);
                }
                tally(&batch, &mut found);
                writer.write(&batch)?;
            }
            Ok::<(), ValidateError>(())
        })?;
    }
    parts.push(writer.finish()?);
    let found = found
        .into_iter()
        .map(|([rule, column, gate, level], rows)| FoundRows { rule, column, gate, level, rows })
        .collect();
    Ok((parts, found))
}

fn tally(batch: &RecordBatch, found: &mut BTreeMap<[String; 4], u64>) {
    let text = |at: usize, row: usize| batch.column(at).as_string::<i32>().value(row);
    let at = |row: usize| [0, 3, 5, 6].map(|column| text(column, row));
    let mut from = 0;
    for row in 0..batch.num_rows() {
        // Findings are sorted: count them run by run.
        if row + 1 == batch.num_rows() || at(row + 1) != at(row) {
            *found.entry(at(row).map(str::to_owned)).or_default() += (row + 1 - from) as u64;
            from = row + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn what_is_typed_into_the_wrong_field_is_not_plain() {
        for shown in ["9", "201313", "1980-13-01", "1,234.50", "A1"] {
            assert!(plain(shown), "{shown}");
        }
        for hidden in ["张三", "229901198001010010", "x".repeat(21).as_str(), "a\nb"] {
            assert!(!plain(hidden), "{hidden}");
        }
    }
}
