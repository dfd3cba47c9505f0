//! Findings on their way out: what a rule does to a row, values masked, rows in batches (FORMS 6).
//!
//! Must not know: how a finding is computed.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringBuilder};

use super::finding_schema;
use crate::dataset::{BATCH_ROWS, DatasetError, PartInfo, PartWriter};
use crate::mask::{MaskKind, mask};
use crate::national::{Column, Degree, Gate, Kind, Mandatory, Mask, National};

/// Findings of one rule on one column, with what they do.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FoundRows {
    pub rule: String,
    pub column: String,
    pub gate: String,
    pub level: String,
    pub rows: u64,
}

/// A value without a mask of its own is shown up to this length; longer ones are no codes, dates or amounts.
const SHOWN: usize = 20;
/// So many digits in a row may be a document's number.
const DIGITS: usize = 11;
/// More letters in a row may be a name.
const LETTERS: usize = 2;

/// What a rule says about a column: its degree, what it does to the row, how bad it is.
#[derive(Debug, Clone)]
pub struct RuleGate {
    pub rule: String,
    pub column: String,
    degree: &'static str,
    gate: &'static str,
    level: String,
}

impl RuleGate {
    /// By gate.csv; where it is silent, by severity: B blocks, I counts, others mark (reference 9.1).
    pub fn new(national: &National, rule: &str, column: &Column) -> Self {
        let degree = degree_of(column);
        let level = national.rules.get(rule).map_or("E", |r| r.severity.as_str());
        let gate = gate_of(national, rule, degree, level);
        Self {
            rule: rule.to_owned(),
            column: column.code.clone(),
            degree: degree.text(),
            gate: gate.text(),
            level: level.to_owned(),
        }
    }

    /// Of a rule file: `column` is none where a finding is about the row (`*`).
    pub fn of_rule(national: &National, rule: &str, column: Option<&Column>, level: &str) -> Self {
        let degree = column.map_or(Degree::Any, degree_of);
        Self {
            rule: rule.to_owned(),
            column: column.map_or_else(|| "*".to_owned(), |c| c.code.clone()),
            degree: degree.text(),
            gate: gate_of(national, rule, degree, level).text(),
            level: level.to_owned(),
        }
    }

    /// What it does to the row: block, mark, count.
    pub fn gate(&self) -> &'static str {
        self.gate
    }

    /// B, E, W or I.
    pub fn level(&self) -> &str {
        &self.level
    }
}

fn degree_of(column: &Column) -> Degree {
    match column.mandatory {
        Mandatory::Hard => Degree::Hard,
        Mandatory::Soft | Mandatory::No => Degree::Soft,
    }
}

fn gate_of(national: &National, rule: &str, degree: Degree, level: &str) -> Gate {
    national.gate.decide(rule, degree).unwrap_or(match level {
        "B" => Gate::Block,
        "I" => Gate::Count,
        _ => Gate::Mark,
    })
}

/// A value as a finding may show it.
pub fn shown(column: &Column, value: &str) -> String {
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
pub fn shown_unread(column: &Column, value: &str) -> String {
    match (column.mask, column.kind) {
        (Mask::None, Kind::Id) => mask(MaskKind::Number, value),
        _ => shown(column, value),
    }
}

/// Looks like a code, a date, a period or an amount: what people typed into the wrong field is masked.
fn plain(value: &str) -> bool {
    let longest =
        |of: fn(&u8) -> bool| value.as_bytes().split(|b| !of(b)).map(<[u8]>::len).max().unwrap_or(0);
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    // The digits of a phone or a card in groups; a time and an amount have more, and say what they are.
    let counted = digits < DIGITS || (value.contains([':', '.']) && longest(u8::is_ascii_digit) < DIGITS);
    let printed = value.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
    value.len() <= SHOWN && printed && counted && longest(u8::is_ascii_alphabetic) <= LETTERS
}

/// Where the row of a finding comes from.
#[derive(Clone, Copy)]
pub struct RowAt<'a> {
    pub key: Option<&'a str>,
    pub source: &'a str,
    pub skey: Option<&'a str>,
}

/// Writes findings as one scratch part.
pub struct FindingSink {
    writer: PartWriter,
    table: String,
    columns: [StringBuilder; 10],
    pending: usize,
}

impl FindingSink {
    pub fn create(path: &Path, table: &str) -> Result<Self, DatasetError> {
        let writer = PartWriter::create(path, finding_schema())?;
        Ok(Self { writer, table: table.to_owned(), columns: Default::default(), pending: 0 })
    }

    pub fn add(
        &mut self,
        verdict: &RuleGate,
        row: RowAt<'_>,
        value: Option<&str>,
    ) -> Result<(), DatasetError> {
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

    fn flush(&mut self) -> Result<(), DatasetError> {
        let columns: Vec<ArrayRef> =
            self.columns.iter_mut().map(|c| Arc::new(c.finish()) as ArrayRef).collect();
        let batch = RecordBatch::try_new(finding_schema(), columns)
            .map_err(|e| DatasetError::Unwritable { path: self.table.clone(), source: Box::new(e) })?;
        self.writer.write(&batch)?;
        self.pending = 0;
        Ok(())
    }

    pub fn finish(mut self) -> Result<PartInfo, DatasetError> {
        self.flush()?;
        self.writer.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn what_is_typed_into_the_wrong_field_is_not_plain() {
        for shown in ["9", "201313", "1980-13-01", "1980-01-01 00:00:00", "1,234.50", "A1"] {
            assert!(plain(shown), "{shown}");
        }
        let long = "x".repeat(21);
        let numbers = ["229901198001010010", "13843600001", "138-4360-0002", "6222 0212 3456 7890"];
        for hidden in [&["张三", "Zhuge Mingyue", "WANG", long.as_str(), "a\nb"][..], &numbers].concat() {
            assert!(!plain(hidden), "{hidden}");
        }
    }
}
