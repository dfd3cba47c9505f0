//! Changes → parts that are written again, and their records (RULES 3, reference 9.6).
//!
//! Always: rows keep their order and number; only parts with a changed row are written again. Afterwards both versions are compared cell
//! by cell: every cell that differs has exactly one record (INV-07); added and merged rows have one each.
//! Must not know: how a change came about.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::kernels::cmp::distinct;
use arrow::compute::{cast, kernels::zip::zip};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use xxhash_rust::xxh3::xxh3_128;

use super::fault::RuleError;
use super::kind::Repair;
use super::reasons::Reasons;
use super::run::CleanItem;
use super::typed;
use crate::dataset::{PartInfo, PartWriter, read_part};

/// One field of one row that gets another value.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) rule: String,
    pub(super) key: String,
    pub(super) source: String,
    pub(super) skey: Option<String>,
    pub(super) column: String,
    pub(super) before: Option<String>,
    pub(super) after: String,
    pub(super) level: Repair,
    pub(super) basis: String,
    pub(super) evidence: Option<String>,
    pub(super) batch: Option<String>,
    pub(super) handler: Option<String>,
    pub(super) reviewer: Option<String>,
    pub(super) approver: Option<String>,
}

impl Change {
    /// About what it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        let own = [&self.rule, &self.key, &self.source, &self.column, &self.after, &self.basis];
        let maybe = [
            &self.skey,
            &self.before,
            &self.evidence,
            &self.batch,
            &self.handler,
            &self.reviewer,
            &self.approver,
        ];
        let text = own.iter().map(|t| t.capacity()).chain(maybe.into_iter().flatten().map(String::capacity));
        size_of::<Self>() + text.sum::<usize>()
    }
}

/// A part that was written again.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Replaced {
    pub table: String,
    pub from: PathBuf,
    pub to: PartInfo,
    /// Fields that differ.
    pub fields: u64,
}

/// What a table's changes came to.
pub(super) struct Applied {
    pub(super) records: PartInfo,
    pub(super) replaced: Vec<Replaced>,
}

/// Columns of a change record: `table`, `_key`, `_source`, `_skey`, `column` (`*`: the row was added, `after` its columns as JSON, or merged,
/// `before` and `after` its key and the survivor's), `before`, `after`, `rule` (or correction), `item`, `level`, `basis`,
/// `evidence`, `batch`, `handler`, `reviewer`, `approver`, `day` (of the run). Values are exact and unmasked.
pub fn change_schema() -> SchemaRef {
    let text = |name: &str, null: bool| Field::new(name, DataType::Utf8, null);
    Arc::new(Schema::new(vec![
        text("table", false),
        text("_key", false),
        text("_source", false),
        text("_skey", true),
        text("column", false),
        text("before", true),
        text("after", true),
        text("rule", false),
        text("item", false),
        text("level", false),
        text("basis", false),
        text("evidence", true),
        text("batch", true),
        text("handler", true),
        text("reviewer", true),
        text("approver", true),
        Field::new("day", DataType::Date32, false),
    ]))
}

/// By the digest of a row's place: where its changes stand among those of the table, in their order.
type Rows = HashMap<u128, Range<usize>>;

pub(super) fn place(key: &str, source: &str, skey: Option<&str>) -> u128 {
    xxh3_128([key, source, skey.unwrap_or("∅")].join("\u{1f}").as_bytes())
}

/// Applies the changes of a table; `whole` are records that change no field here: of whole rows (added or merged), and of what was corrected.
pub(super) fn apply(
    of: &CleanItem<'_>,
    table: &str,
    mut changes: Vec<Change>,
    whole: Vec<Change>,
    reasons: &mut Reasons,
) -> Result<Applied, RuleError> {
    let replaced = rewrite(of, table, &mut changes, &of.to.cleaned.join(table), reasons)?;
    changes.extend(whole);
    changes.sort_by(in_order);
    Ok(Applied { records: records(of, table, &changes)?, replaced })
}

/// Writes the parts of a table that have a changed row again, in a folder.
pub(super) fn rewrite(
    of: &CleanItem<'_>,
    table: &str,
    changes: &mut [Change],
    folder: &std::path::Path,
    reasons: &mut Reasons,
) -> Result<Vec<Replaced>, RuleError> {
    changes.sort_by(in_order);
    let changes = &*changes;
    let mut rows = Rows::new();
    let mut from = 0;
    for of_row in changes.chunk_by(|a, b| (&a.key, &a.source, &a.skey) == (&b.key, &b.source, &b.skey)) {
        let first = &of_row[0];
        let to = from + of_row.len();
        rows.insert(place(&first.key, &first.source, first.skey.as_deref()), from..to);
        from = to;
    }
    let mut replaced = Vec::new();
    crate::durable::create_dir_all(folder)?;
    for (no, part) in of.tables.get(table).into_iter().flatten().enumerate() {
        if !touches(part, &rows)? {
            continue;
        }
        // Parts of several branches may have one name.
        let place = folder.join(no.to_string());
        crate::durable::create_dir_all(&place)?;
        let to = place.join(part.path.file_name().unwrap_or_default());
        let written = write(of, table, part, &to, (&rows, changes), reasons)?;
        crate::failpoint::hit("clean.written");
        let fields = compare(of, table, part, &written.0)?;
        if fields != written.1 {
            let what = format!("{fields} fields differ, {} records", written.1);
            return Err(RuleError::Unrecorded { item: of.item, table: table.to_owned(), what });
        }
        replaced.push(Replaced { table: table.to_owned(), from: part.path.clone(), to: written.0, fields });
    }
    let fields: u64 = replaced.iter().map(|r| r.fields).sum();
    if fields != changes.len() as u64 {
        let what = format!("{fields} fields differ, {} records", changes.len());
        return Err(RuleError::Unrecorded { item: of.item, table: table.to_owned(), what });
    }
    Ok(replaced)
}

/// The order of records: by row, then column.
fn in_order(a: &Change, b: &Change) -> std::cmp::Ordering {
    (&a.key, &a.source, &a.skey, &a.column).cmp(&(&b.key, &b.source, &b.skey, &b.column))
}

/// The changes of each row of a batch.
fn at(batch: &RecordBatch, rows: &Rows) -> Vec<(usize, Range<usize>)> {
    let text = |name: &str| batch.column_by_name(name).and_then(|c| c.as_string_opt::<i32>().cloned());
    let (Some(keys), Some(sources), Some(skeys)) = (text("_key"), text("_source"), text("_skey")) else {
        return Vec::new();
    };
    let found = |row: usize| {
        let skey = skeys.is_valid(row).then(|| skeys.value(row));
        let here = keys.is_valid(row).then(|| place(keys.value(row), sources.value(row), skey))?;
        Some((row, rows.get(&here)?.clone()))
    };
    (0..batch.num_rows()).filter_map(found).collect()
}

fn touches(part: &PartInfo, rows: &Rows) -> Result<bool, RuleError> {
    if rows.is_empty() {
        return Ok(false);
    }
    let columns = ["_key", "_source", "_skey"].map(str::to_owned);
    for batch in crate::dataset::read_columns(&part.path, &columns)? {
        if !at(&batch?, rows).is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Writes a part again; the part, and how many fields were set.
fn write(
    of: &CleanItem<'_>,
    table: &str,
    part: &PartInfo,
    to: &std::path::Path,
    (rows, changes): (&Rows, &[Change]),
    reasons: &mut Reasons,
) -> Result<(PartInfo, u64), RuleError> {
    let unrecorded = |what: String| RuleError::Unrecorded { item: of.item, table: table.to_owned(), what };
    let mut writer = PartWriter::create(to, crate::dataset::schema_of(&part.path)?)?;
    let (mut set, known) = (0, of.national.table(table));
    for batch in read_part(&part.path)? {
        let batch = batch?;
        let here = at(&batch, rows);
        if here.is_empty() {
            writer.write(&batch)?;
            continue;
        }
        let mut by_column: BTreeMap<&str, Vec<(usize, &Change)>> = BTreeMap::new();
        for (row, of_row) in here {
            let of_row: Vec<&Change> = changes[of_row].iter().collect();
            if let Some(known) = known.filter(|t| of_row.iter().any(|c| Reasons::matter(t, &c.column))) {
                reasons.changed(known, &batch, row, &of_row);
            }
            for change in of_row {
                by_column.entry(&change.column).or_default().push((row, change));
            }
        }
        let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
        for (column, changed) in by_column {
            let index = batch.schema().index_of(column).map_err(|e| unrecorded(e.to_string()))?;
            set += changed.len() as u64;
            columns[index] =
                changed_column(&columns[index], &changed).map_err(|row| RuleError::DoesNotFit {
                    rule: changed[row].1.rule.clone(),
                    table: table.to_owned(),
                    column: column.to_owned(),
                    key: changed[row].1.key.clone(),
                })?;
        }
        writer
            .write(&RecordBatch::try_new(batch.schema(), columns).map_err(|e| unrecorded(e.to_string()))?)?;
    }
    Ok((writer.finish()?, set))
}

/// A column with some of its values replaced; else the position of the first change that does not fit.
fn changed_column(column: &ArrayRef, changed: &[(usize, &Change)]) -> Result<ArrayRef, usize> {
    let mut texts: Vec<Option<&str>> = vec![None; column.len()];
    for (row, change) in changed {
        texts[*row] = Some(&change.after);
    }
    let position = |row: usize| changed.iter().position(|(at, _)| *at == row).unwrap_or(0);
    let values = typed::typed(&texts, column.data_type()).map_err(position)?;
    let mask: BooleanArray = texts.iter().map(|t| Some(t.is_some())).collect();
    let values = cast(&values, column.data_type()).map_err(|_| 0_usize)?;
    zip(&mask, &values, column).map_err(|_| 0)
}

/// Fields that differ between two versions of a part, which must have the same columns and rows.
fn compare(of: &CleanItem<'_>, table: &str, from: &PartInfo, to: &PartInfo) -> Result<u64, RuleError> {
    let unrecorded = |what: String| RuleError::Unrecorded { item: of.item, table: table.to_owned(), what };
    let (mut old, mut new) = (read_part(&from.path)?, read_part(&to.path)?);
    let mut fields = 0;
    loop {
        let (a, b) = match (old.next().transpose()?, new.next().transpose()?) {
            (None, None) => return Ok(fields),
            (Some(a), Some(b)) if a.num_rows() == b.num_rows() && a.schema() == b.schema() => (a, b),
            _ => return Err(unrecorded("rows or columns differ".to_owned())),
        };
        for (x, y) in a.columns().iter().zip(b.columns()) {
            let differs = distinct(x, y).map_err(|e| unrecorded(e.to_string()))?;
            fields += differs.true_count() as u64;
        }
    }
}

fn records(of: &CleanItem<'_>, table: &str, changes: &[Change]) -> Result<PartInfo, RuleError> {
    let unrecorded = |what: String| RuleError::Unrecorded { item: of.item, table: table.to_owned(), what };
    let path = of.to.changes.join(format!("{table}.parquet"));
    let mut writer = PartWriter::create(&path, change_schema())?;
    let days = arrow::datatypes::Date32Type::from_naive_date(of.as_of);
    for chunk in changes.chunks(crate::dataset::BATCH_ROWS) {
        let some = |get: &dyn Fn(&Change) -> String| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(chunk.iter().map(get)))
        };
        let maybe = |get: &dyn Fn(&Change) -> Option<String>| -> ArrayRef {
            Arc::new(chunk.iter().map(get).collect::<StringArray>())
        };
        let columns = vec![
            some(&|_| table.to_owned()),
            some(&|c| c.key.clone()),
            some(&|c| c.source.clone()),
            maybe(&|c| c.skey.clone()),
            some(&|c| c.column.clone()),
            maybe(&|c| c.before.clone()),
            maybe(&|c| Some(c.after.clone())),
            some(&|c| c.rule.clone()),
            some(&|_| of.item.text().to_owned()),
            some(&|c| c.level.text().to_owned()),
            some(&|c| c.basis.clone()),
            maybe(&|c| c.evidence.clone()),
            maybe(&|c| c.batch.clone()),
            maybe(&|c| c.handler.clone()),
            maybe(&|c| c.reviewer.clone()),
            maybe(&|c| c.approver.clone()),
            Arc::new(arrow::array::Date32Array::from(vec![days; chunk.len()])) as ArrayRef,
        ];
        let batch = RecordBatch::try_new(change_schema(), columns).map_err(|e| unrecorded(e.to_string()))?;
        writer.write(&batch)?;
    }
    Ok(writer.finish()?)
}
