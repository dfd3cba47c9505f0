//! Rows that rules merge: approved donor → survivor pairs, what becomes of the donors' children, and the key map of a run.
//!
//! Always: a merge keeps the survivor's id; no donor row is dropped, the gate gives it the disposition `merged`. Children in scope follow the
//! survivor: each foreign key that named a donor is a change with its record. A row's `_key` stays the one under which it was mapped.
//! A donor has one survivor, which is there and is no donor itself; what would close a circle is not merged.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use futures::StreamExt;

use super::apply::Change;
use super::fault::RuleError;
use super::file::memory;
use super::run::CleanItem;
use crate::artifacts::merged_schema;
use crate::dataset::{BATCH_ROWS, PartInfo, PartWriter, register};
use crate::engine::Joins;
use crate::national::Table;
use crate::phrase;
use crate::sql_ident::quote;

/// One donor key: where it goes, and the records of its rows (column `*`, before its key, after the survivor's).
#[derive(Debug, Clone)]
pub(super) struct Merge {
    pub(super) survivor: String,
    pub(super) rows: Vec<Change>,
}

/// The merges of one table in an item, by donor key.
#[derive(Debug, Clone, Default)]
pub(super) struct Merges(pub(super) BTreeMap<String, Merge>);

impl Merges {
    /// Where a key ends up.
    fn last<'k>(&'k self, key: &'k str) -> &'k str {
        let mut at = key;
        // No longer than there are merges: `take` lets no circle in.
        while let Some(next) = self.0.get(at) {
            at = &next.survivor;
        }
        at
    }

    /// Takes a merge of one row; false where its donor goes elsewhere already, or a circle would close.
    pub(super) fn take(&mut self, survivor: &str, record: Change) -> bool {
        if self.last(survivor) == record.key {
            return false;
        }
        let known = self
            .0
            .entry(record.key.clone())
            .or_insert_with(|| Merge { survivor: survivor.to_owned(), rows: Vec::new() });
        let first = known.rows.first().is_none_or(|r| r.rule == record.rule);
        let same = known.survivor == survivor && first;
        if same {
            known.rows.push(record);
        }
        same
    }

    /// Every donor with the survivor at the end of its way.
    pub(super) fn settle(&mut self) {
        let ends: Vec<(String, String)> =
            self.0.keys().map(|donor| (donor.clone(), self.last(donor).to_owned())).collect();
        for (donor, end) in ends {
            if let Some(merge) = self.0.get_mut(&donor) {
                merge.rows.iter_mut().for_each(|row| row.after.clone_from(&end));
                merge.survivor = end;
            }
        }
    }

    /// The records of every merged row.
    pub(super) fn records(&self) -> impl Iterator<Item = &Change> {
        self.0.values().flat_map(|m| &m.rows)
    }
}

/// Writes the key map of a table: one line a merged row.
pub(super) fn write(of: &CleanItem<'_>, table: &str, merges: &Merges) -> Result<PartInfo, RuleError> {
    let path = of.to.merged.join(format!("{table}.parquet"));
    let mut writer = PartWriter::create(&path, merged_schema())?;
    let rows: Vec<&Change> = merges.records().collect();
    for rows in rows.chunks(BATCH_ROWS) {
        let text = |get: &dyn Fn(&Change) -> Option<String>| -> ArrayRef {
            Arc::new(rows.iter().map(|r| get(r)).collect::<StringArray>())
        };
        let columns = vec![
            text(&|r| Some(r.key.clone())),
            text(&|r| Some(r.source.clone())),
            text(&|r| r.skey.clone()),
            text(&|r| Some(r.after.clone())),
            text(&|r| Some(r.rule.clone())),
            text(&|_| Some(of.item.text().to_owned())),
            text(&|r| Some(r.level.text().to_owned())),
            text(&|r| r.batch.clone()),
            text(&|r| r.approver.clone()),
            text(&|r| r.evidence.clone()),
        ];
        let batch = RecordBatch::try_new(merged_schema(), columns);
        writer.write(&batch.map_err(|e| impossible(of, table, &e))?)?;
    }
    Ok(writer.finish()?)
}

/// The foreign keys that must follow: changes by child table. `table` is that of the merges.
pub(super) fn follow(
    of: &CleanItem<'_>,
    table: &str,
    merges: &Merges,
) -> Result<BTreeMap<String, Vec<Change>>, RuleError> {
    let mut all: BTreeMap<String, Vec<Change>> = BTreeMap::new();
    for child in &of.national.tables {
        for parent in child.parents.iter().filter(|p| p.table == table) {
            // Keys of several columns have no children to follow (reference 9.9).
            let [column] = parent.columns.as_slice() else { continue };
            let changes = children(of, table, merges, child, column)?;
            if !changes.is_empty() {
                all.entry(child.name.clone()).or_default().extend(changes);
            }
        }
    }
    Ok(all)
}

/// The rows of a child table in scope that name a donor.
fn children(
    of: &CleanItem<'_>,
    table: &str,
    merges: &Merges,
    child: &Table,
    column: &str,
) -> Result<Vec<Change>, RuleError> {
    let parts: Vec<_> = of.tables.get(&child.name).into_iter().flatten().map(|p| p.path.clone()).collect();
    if parts.is_empty() {
        return Ok(Vec::new());
    }
    let session = of.engine.session(of.engine.partitions(), Joins::OneSmall);
    register(&session, "child", &parts)?;
    let donors: StringArray = merges.0.keys().map(|k| Some(k.as_str())).collect();
    let schema = Arc::new(Schema::new(vec![Field::new("donor", DataType::Utf8, false)]));
    let map = RecordBatch::try_new(schema, vec![Arc::new(donors)]).map_err(|e| impossible(of, table, &e))?;
    let what = || phrase!("work.merge", table = child.name);
    let failed = |e| of.engine.error(what(), e);
    session.register_table("merges", memory(&map).map_err(failed)?).map_err(failed)?;
    let scope = child.scope.as_deref().unwrap_or("true");
    let column_name = quote(column);
    let sql = format!(
        "SELECT c._key, c._source, c._skey, CAST(c.{column_name} AS VARCHAR) FROM (SELECT * FROM child WHERE ({scope}) IS NOT FALSE) AS c \
         JOIN merges AS m ON m.donor = key_text(c.{column_name}) ORDER BY 1, 2, 3"
    );
    let mut changes = Vec::new();
    of.engine.block_on(async {
        let stream = async { session.sql(&sql).await?.execute_stream().await };
        let mut stream = stream.await.map_err(failed)?;
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(failed)?;
            let text = |at: usize| batch.column(at).as_string::<i32>();
            let (keys, sources, skeys, values) = (text(0), text(1), text(2), text(3));
            for row in (0..batch.num_rows()).filter(|row| keys.is_valid(*row)) {
                let Some(merge) = merges.0.get(values.value(row)) else { continue };
                let Some(by) = merge.rows.first() else { continue };
                changes.push(Change {
                    key: keys.value(row).to_owned(),
                    source: sources.value(row).to_owned(),
                    skey: skeys.is_valid(row).then(|| skeys.value(row).to_owned()),
                    column: column.to_owned(),
                    before: Some(values.value(row).to_owned()),
                    after: merge.survivor.clone(),
                    ..by.clone()
                });
            }
        }
        Ok::<(), RuleError>(())
    })?;
    Ok(changes)
}

fn impossible(of: &CleanItem<'_>, table: &str, e: &dyn std::fmt::Display) -> RuleError {
    RuleError::Unrecorded { item: of.item, table: table.to_owned(), what: e.to_string() }
}
