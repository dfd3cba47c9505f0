//! The lines of a work item, in order: each field of a rule once, with what becomes of it, as one part a rule and table.
//!
//! Always: of several files of one rule that find the same field, the one with the stronger level stands; two values of the same strength are
//! decided by people. One sort for the item, which spills; nothing else holds lines.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, StringArray, UInt64Array};
use arrow::compute::{concat_batches, take_record_batch};
use futures::StreamExt;

use super::fault::RuleError;
use super::file::Rule;
use super::judge::{ItemChanges, Judge, known_keys};
use super::kind::{Outcome, Repair};
use super::lines::found_schema;
use super::run::CleanItem;
use crate::dataset::{PartInfo, PartWriter, register};
use crate::engine::Joins;
use crate::phrase;
use crate::sql_ident::quote;

/// The files of one rule over one table that found something.
pub(super) struct Group<'a> {
    pub(super) files: Vec<&'a Rule>,
    /// Each line is a field of its own: one file over rows, or rows that are added.
    pub(super) alone: bool,
}

/// By rule and table.
pub(super) type Groups<'a> = BTreeMap<(&'a str, &'a str), Group<'a>>;

/// What a rule found in a table, as its part holds it.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) part: PartInfo,
    pub(super) outcomes: BTreeMap<Outcome, u64>,
}

/// The order of lines; what stands last only makes it whole.
const ORDER: [&str; 11] = [
    "rule",
    "table",
    "_key",
    "_source",
    "_skey",
    "column",
    "repair",
    "file",
    "after",
    "after_key",
    "evidence",
];

/// Judges all lines of an item; its changes are collected by table.
pub(super) fn resolve<'a>(
    of: &CleanItem<'a>,
    groups: &Groups<'a>,
    lines: &PartInfo,
    changes: &mut ItemChanges,
) -> Result<BTreeMap<(String, String), Resolved>, RuleError> {
    if lines.rows == 0 {
        return Ok(BTreeMap::new());
    }
    let session = of.engine.session(of.engine.partitions(), Joins::Large);
    register(&session, "lines", std::slice::from_ref(&lines.path))?;
    let columns: Vec<String> = found_schema().fields().iter().map(|f| quote(f.name())).collect();
    let mut order: Vec<String> = ORDER.iter().map(|c| quote(c)).collect();
    // Several rows may be added at one place: they are told apart by what they hold.
    order.insert(6, "CASE WHEN \"column\" = '*' THEN \"after\" END".to_owned());
    let sql = format!("SELECT {} FROM lines ORDER BY {}", columns.join(", "), order.join(", "));
    let files: Vec<&Rule> = groups.values().flat_map(|g| g.files.iter().copied()).collect();
    let known = known_keys(of, &files, &lines.path)?;
    let judge = Judge { of, files: &[], changes, known, last: None, outcomes: BTreeMap::new() };
    let mut settling = Settling { groups, judge, open: None, done: BTreeMap::new() };
    let what = || phrase!("work.found", item = of.item.text());
    of.engine.block_on(async {
        let stream = async { session.sql(&sql).await?.execute_stream().await };
        let mut stream = stream.await.map_err(|e| of.engine.error(what(), e))?;
        let mut rest: Option<RecordBatch> = None;
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(|e| of.engine.error(what(), e))?;
            let batch = match rest.take() {
                Some(before) => {
                    concat_batches(&found_schema(), [&before, &batch]).map_err(|e| impossible(of, &e))?
                }
                None => batch,
            };
            // The last place may go on in the next batch.
            let places = Places::new(&batch);
            let whole = places.starts.last().copied().unwrap_or(0);
            settling.take(&batch, &places)?;
            rest = Some(batch.slice(whole, batch.num_rows() - whole));
        }
        if let Some(last) = rest {
            let mut places = Places::new(&last);
            places.starts.push(last.num_rows());
            settling.take(&last, &places)?;
        }
        settling.close()
    })?;
    Ok(settling.done)
}

fn impossible(of: &CleanItem<'_>, e: &dyn std::fmt::Display) -> RuleError {
    RuleError::Unrecorded { item: of.item, table: "found".to_owned(), what: e.to_string() }
}

/// The columns of a batch of sorted lines by which it is cut.
struct Places {
    /// Rule, table, `_key`, `_source`, `_skey`, column.
    place: [StringArray; 6],
    repair: StringArray,
    after: StringArray,
    /// Where each place begins.
    starts: Vec<usize>,
}

fn at(of: &StringArray, row: usize) -> Option<&str> {
    of.is_valid(row).then(|| of.value(row))
}

impl Places {
    fn new(batch: &RecordBatch) -> Self {
        let text = |name: &str| {
            let found = batch.column_by_name(name).and_then(|c| c.as_string_opt::<i32>()).cloned();
            found.unwrap_or_else(|| StringArray::new_null(batch.num_rows()))
        };
        let place = ["rule", "table", "_key", "_source", "_skey", "column"].map(text);
        let (repair, after) = (text("repair"), text("after"));
        let mut of = Self { place, repair, after, starts: Vec::new() };
        of.starts = (0..batch.num_rows()).filter(|row| *row == 0 || !of.goes_on(*row)).collect();
        of
    }

    /// Whether a line is about the place of the line before; rows that are added are told apart by what they hold.
    fn goes_on(&self, row: usize) -> bool {
        self.place.iter().all(|c| at(c, row - 1) == at(c, row))
            && (self.place[5].value(row) != "*" || at(&self.after, row - 1) == at(&self.after, row))
    }

    fn group(&self, row: usize) -> (&str, &str) {
        (self.place[0].value(row), self.place[1].value(row))
    }

    /// The level of the one line that stands for some about one place, which are in order: the strongest, unless its files differ in value.
    fn level(&self, from: usize, to: usize) -> &str {
        let best = self.repair.value(from);
        let mut values =
            (from..to).filter(|row| self.repair.value(*row) == best).filter_map(|row| at(&self.after, row));
        let first = values.next();
        let differ = values.any(|value| Some(value) != first);
        let applied = best == Repair::Automatic.text() || best == Repair::Proposed.text();
        if differ && applied { Repair::Verified.text() } else { best }
    }
}

/// Judges line by line and writes one part a rule and table.
struct Settling<'s> {
    groups: &'s Groups<'s>,
    judge: Judge<'s>,
    /// The rule and table at hand.
    open: Option<((String, String), PartWriter)>,
    done: BTreeMap<(String, String), Resolved>,
}

impl Settling<'_> {
    /// Takes the places of a batch that are whole: each from its start to the next.
    fn take(&mut self, batch: &RecordBatch, places: &Places) -> Result<(), RuleError> {
        let (mut rows, mut levels): (Vec<u64>, Vec<&str>) = (Vec::new(), Vec::new());
        let mut begun = 0;
        for (from, to) in places.starts.iter().copied().zip(places.starts.iter().copied().skip(1)) {
            let group = places.group(from);
            if from > begun && places.group(begun) != group {
                self.chosen(batch, places.group(begun), &rows, &levels)?;
                rows.clear();
                levels.clear();
                begun = from;
            }
            if self.groups.get(&group).is_some_and(|g| g.alone) {
                rows.extend(from as u64..to as u64);
                levels.extend((from..to).map(|row| places.repair.value(row)));
            } else {
                rows.push(from as u64);
                levels.push(places.level(from, to));
            }
        }
        if rows.is_empty() { Ok(()) } else { self.chosen(batch, places.group(begun), &rows, &levels) }
    }

    /// Judges the chosen lines of a batch, all of one rule and table.
    fn chosen(
        &mut self,
        batch: &RecordBatch,
        (rule, table): (&str, &str),
        rows: &[u64],
        levels: &[&str],
    ) -> Result<(), RuleError> {
        let of = self.judge.of;
        if self.open.as_ref().is_none_or(|((r, t), _)| r != rule || t != table) {
            self.close()?;
            let group = self.groups.iter().find(|((r, t), _)| *r == rule && *t == table);
            let Some((_, group)) = group else { return Ok(()) };
            self.judge.begin(&group.files);
            let path = of.to.found.join(format!("{rule}.{table}.parquet"));
            self.open =
                Some(((rule.to_owned(), table.to_owned()), PartWriter::create(&path, found_schema())?));
        }
        let Some((_, writer)) = &mut self.open else { return Ok(()) };
        let rows = UInt64Array::from(rows.to_vec());
        let lines = take_record_batch(batch, &rows).map_err(|e| impossible(of, &e))?;
        let mut columns = lines.columns().to_vec();
        let level = found_schema().index_of("repair").map_err(|e| impossible(of, &e))?;
        columns[level] = Arc::new(StringArray::from(levels.to_vec()));
        let lines = RecordBatch::try_new(found_schema(), columns).map_err(|e| impossible(of, &e))?;
        Ok(writer.write(&self.judge.batch(&lines)?)?)
    }

    /// Ends the part at hand.
    fn close(&mut self) -> Result<(), RuleError> {
        let Some((place, writer)) = self.open.take() else { return Ok(()) };
        let outcomes = std::mem::take(&mut self.judge.outcomes);
        self.done.insert(place, Resolved { part: writer.finish()?, outcomes });
        Ok(())
    }
}
