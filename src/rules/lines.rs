//! What a rule found, line by line: the dataset `found/` of a run (docs/rules.md).
//!
//! Always: one line for each proposed value, or one for the row where nothing is proposed. Values are text, exact, unmasked: the dataset
//! stays inside the work directory.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, Int64Builder, RecordBatch, StringArray, StringBuilder,
};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};

use super::fault::RuleError;
use super::file::Rule;
use super::kind::Effect;
use super::typed;
use crate::national::Table;

/// Columns: `rule`, `file`, national `table`, `_key`, `column` (`*`: the row), `repair`, `severity`, `before`, `after` (of an added row: JSON of
/// its columns), `evidence`, `group`, `score`, `after_key` (survivor), `_source`, `_skey`, `outcome`.
pub fn found_schema() -> SchemaRef {
    let text = |name: &str, null: bool| Field::new(name, DataType::Utf8, null);
    Arc::new(Schema::new(vec![
        text("rule", false),
        text("file", false),
        text("table", false),
        text("_key", false),
        text("column", false),
        text("repair", false),
        text("severity", false),
        text("before", true),
        text("after", true),
        text("evidence", true),
        text("group", true),
        Field::new("score", DataType::Int64, true),
        text("after_key", true),
        text("_source", false),
        text("_skey", true),
        text("outcome", false),
    ]))
}

/// Where the value before stands in the batch of a rule's query.
pub(super) fn before_name(at: usize) -> String {
    format!("__b{at}")
}

/// The columns whose value before is asked for: those that it proposes, and the one that a finding names.
pub(super) fn asked(rule: &Rule) -> Vec<String> {
    if rule.effect == Effect::Add {
        return Vec::new();
    }
    let mut all: Vec<String> = rule.touches.iter().filter(|t| rule.gives.contains(t)).cloned().collect();
    if rule.column != "*" && !all.contains(&rule.column) {
        all.push(rule.column.clone());
    }
    all
}

/// The lines of a batch of a rule's query.
pub(super) struct Lines<'a> {
    rule: &'a Rule,
    table: &'a Table,
    text: [StringBuilder; 14],
    score: Int64Builder,
}

/// One line before it is written.
struct Line<'l> {
    column: &'l str,
    before: Option<&'l str>,
    after: Option<&'l str>,
}

/// The columns of a batch that every line of a row shares.
struct Shared {
    key: StringArray,
    source: StringArray,
    skey: StringArray,
    own: [Option<StringArray>; 5],
    score: Option<Int64Array>,
}

impl<'a> Lines<'a> {
    /// `table` is the one whose columns are proposed: the rule's, or that of its new rows.
    pub(super) fn new(rule: &'a Rule, table: &'a Table) -> Self {
        Self { rule, table, text: Default::default(), score: Int64Builder::new() }
    }

    /// Takes the rows of a batch.
    pub(super) fn take(&mut self, batch: &RecordBatch) -> Result<(), RuleError> {
        let rule = self.rule;
        let shared = shared(batch)?;
        let proposed: Vec<(&String, ArrayRef)> = rule
            .touches
            .iter()
            .filter_map(|t| Some((t, batch.column_by_name(t)?)))
            .map(|(t, values)| Ok((t, self.proposed(t, values, &shared.key)?)))
            .collect::<Result<_, RuleError>>()?;
        let proposed: Vec<(&String, &StringArray)> =
            proposed.iter().map(|(t, values)| (*t, values.as_string::<i32>())).collect();
        let asked = asked(rule);
        let mut before = Vec::with_capacity(asked.len());
        for (at, column) in asked.iter().enumerate() {
            before.push((column, text(batch, &before_name(at))?));
        }
        let value =
            |values: &StringArray, row: usize| values.is_valid(row).then(|| values.value(row).to_owned());
        for row in 0..batch.num_rows() {
            if rule.effect == Effect::Add {
                let new: serde_json::Map<String, serde_json::Value> = proposed
                    .iter()
                    .filter_map(|(column, values)| Some(((*column).clone(), value(values, row)?.into())))
                    .collect();
                let after = serde_json::Value::Object(new).to_string();
                self.line(&shared, row, &Line { column: "*", before: None, after: Some(&after) });
                continue;
            }
            let was =
                |column: &String| before.iter().find(|(c, _)| *c == column).and_then(|(_, v)| value(v, row));
            let mut any = false;
            for (column, values) in &proposed {
                let (was, after) = (was(column), value(values, row));
                if after.is_some() && after != was {
                    any = true;
                    let line = Line { column, before: was.as_deref(), after: after.as_deref() };
                    self.line(&shared, row, &line);
                }
            }
            if !any {
                let was = was(&rule.column);
                self.line(&shared, row, &Line { column: &rule.column, before: was.as_deref(), after: None });
            }
        }
        Ok(())
    }

    /// Proposed values as text of the column's type.
    fn proposed(&self, column: &str, values: &ArrayRef, keys: &StringArray) -> Result<ArrayRef, RuleError> {
        let kind = self.table.column(column).map_or(DataType::Utf8, |c| c.kind.arrow());
        let unfit = |row: usize| RuleError::DoesNotFit {
            rule: self.rule.name.clone(),
            table: self.table.name.clone(),
            column: column.to_owned(),
            key: if keys.is_valid(row) { keys.value(row).to_owned() } else { String::new() },
        };
        let lenient = CastOptions { safe: true, ..CastOptions::default() };
        let fitted = cast_with_options(values, &kind, &lenient).map_err(|_| unfit(0))?;
        let written = cast(values, &DataType::Utf8).map_err(|_| unfit(0))?;
        let written = written.as_string::<i32>();
        let texts: Vec<Option<&str>> =
            (0..values.len()).map(|row| written.is_valid(row).then(|| written.value(row))).collect();
        // What has more decimals than its column, or does not fit it, is no proposal to be rounded.
        if kind.is_decimal() {
            typed::typed(&texts, &kind).map_err(unfit)?;
        }
        if let Some(row) = (0..values.len()).find(|row| values.is_valid(*row) && fitted.is_null(*row)) {
            return Err(unfit(row));
        }
        cast(&fitted, &DataType::Utf8).map_err(|_| unfit(0))
    }

    fn line(&mut self, shared: &Shared, row: usize, line: &Line<'_>) {
        let own =
            |at: usize| shared.own[at].as_ref().filter(|a| a.is_valid(row)).map(|a| a.value(row).to_owned());
        let rule = self.rule;
        let text = [
            Some(rule.id.clone()),
            Some(rule.name.clone()),
            Some(rule.table.clone()),
            Some(shared.key.value(row).to_owned()),
            Some(line.column.to_owned()),
            Some(own(0).unwrap_or_else(|| rule.repair.text().to_owned())),
            Some(own(1).unwrap_or_else(|| rule.severity.text().to_owned())),
            line.before.map(str::to_owned),
            line.after.map(str::to_owned),
            own(2),
            own(3),
            own(4),
            Some(shared.source.value(row).to_owned()),
            shared.skey.is_valid(row).then(|| shared.skey.value(row).to_owned()),
        ];
        for (builder, value) in self.text.iter_mut().zip(text) {
            builder.append_option(value);
        }
        self.score.append_option(shared.score.as_ref().filter(|s| s.is_valid(row)).map(|s| s.value(row)));
    }

    /// The lines so far, with an empty outcome.
    pub(super) fn batch(&mut self) -> Result<RecordBatch, RuleError> {
        let rows = arrow::array::ArrayBuilder::len(&self.score);
        let mut text: Vec<ArrayRef> =
            self.text.iter_mut().map(|b| Arc::new(b.finish()) as ArrayRef).collect();
        text.insert(11, Arc::new(self.score.finish()));
        text.push(Arc::new(StringArray::from(vec![""; rows])));
        RecordBatch::try_new(found_schema(), text).map_err(|e| impossible(self.rule, &e))
    }
}

fn impossible(rule: &Rule, e: &dyn std::fmt::Display) -> RuleError {
    let what = format!("the lines of {}: {e}", rule.name);
    RuleError::Unrecorded { item: rule.item, table: rule.table.clone(), what }
}

fn text(batch: &RecordBatch, name: &str) -> Result<StringArray, RuleError> {
    Ok(optional(batch, name).unwrap_or_else(|| StringArray::new_null(batch.num_rows())))
}

fn optional(batch: &RecordBatch, name: &str) -> Option<StringArray> {
    let values = cast(batch.column_by_name(name)?, &DataType::Utf8).ok()?;
    Some(values.as_string::<i32>().clone())
}

fn shared(batch: &RecordBatch) -> Result<Shared, RuleError> {
    let score = batch.column_by_name("_score").and_then(|s| cast(s, &DataType::Int64).ok());
    Ok(Shared {
        key: text(batch, "_key")?,
        source: text(batch, "__s")?,
        skey: text(batch, "__k")?,
        own: ["_repair", "_severity", "_evidence", "_group", "_after_key"].map(|n| optional(batch, n)),
        score: score.map(|s| s.as_primitive::<Int64Type>().clone()),
    })
}
