//! One mapped part through the gate: its accepted rows, and the others with their dispositions.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use futures::StreamExt;

use super::decision::{Known, Lost, Parents, place};
use super::{Decide, GateError};
use crate::artifacts::disposition_schema;
use crate::dataset::{PartInfo, PartWriter, register, schema_of};
use crate::engine::{Engine, Joins};
use crate::phrase;
use crate::sql_ident::quote;

/// The reason of a row outside the table's scope.
const OUT_OF_SCOPE: &str = "out_of_scope";

/// What became of one part.
pub(super) struct Decided {
    pub(super) staged: PartInfo,
    pub(super) rejected: Option<PartInfo>,
    pub(super) dispositions: Option<PartInfo>,
    /// Rows by disposition and reason.
    pub(super) others: BTreeMap<(&'static str, String), u64>,
}

/// The columns of rows that were not accepted.
pub(super) fn rejected_schema(mapped: &SchemaRef) -> SchemaRef {
    let mut fields: Vec<Arc<Field>> = mapped.fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new("_disposition", DataType::Utf8, false)));
    fields.push(Arc::new(Field::new("_reason", DataType::Utf8, false)));
    Arc::new(Schema::new(fields))
}

/// The disposition of a row that is not accepted.
struct Disposition {
    disposition: &'static str,
    reason: String,
    parent: Option<String>,
}

/// Where rows go.
struct Out {
    schema: SchemaRef,
    staged: PartWriter,
    rejected: Option<PartWriter>,
    dispositions: Option<PartWriter>,
    others: BTreeMap<(&'static str, String), u64>,
}

/// The part's rows with what SQL has to say about them: in scope, carries money, the key of each parent that matters.
fn asked(of: &Decide<'_>, parents: &Parents) -> String {
    let scope = of.table.scope.as_ref().map_or_else(|| "true".to_owned(), |s| format!("({s}) IS NOT FALSE"));
    let money: Vec<String> = of
        .table
        .columns
        .iter()
        .filter(|c| c.measure)
        .map(|c| format!("coalesce({} <> 0, false)", quote(&c.code)))
        .collect();
    let money = if money.is_empty() { "false".to_owned() } else { money.join(" OR ") };
    let keys: Vec<String> = parents
        .0
        .iter()
        .enumerate()
        .map(|(no, parent)| {
            let columns: Vec<String> = parent.columns.iter().map(|c| quote(c)).collect();
            let filled: Vec<String> = columns.iter().map(|c| format!("{c} IS NOT NULL")).collect();
            let when = parent.when.as_ref().map(|w| format!(" AND ({w})")).unwrap_or_default();
            format!(
                ", CASE WHEN {}{when} THEN key_text({}) END AS \"__parent{no}\"",
                filled.join(" AND "),
                columns.join(", ")
            )
        })
        .collect();
    format!("SELECT *, {scope} AS \"__in\", ({money}) AS \"__money\"{} FROM mapped", keys.concat())
}

/// Decides about the rows of one part, in their order.
pub(super) fn decide_part(
    engine: &Engine,
    of: &Decide<'_>,
    known: &Known<'_>,
    part: &Path,
    name: &str,
) -> Result<Decided, GateError> {
    let schema = schema_of(part)?;
    let staged = PartWriter::create(&of.staged.join(name), of.table.described(&schema, of.filled))?;
    let mut out = Out { schema, staged, rejected: None, dispositions: None, others: BTreeMap::new() };
    let session = engine.session(1, Joins::OneSmall);
    register(&session, "mapped", &[part.to_owned()])?;
    let sql = asked(of, known.parents);
    let what = || phrase!("work.gate", table = of.table.name);
    engine.block_on(async {
        let stream = async { session.sql(&sql).await?.execute_stream().await };
        let mut stream = stream.await.map_err(|e| engine.error(what(), e))?;
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(|e| engine.error(what(), e))?;
            decide_batch(of, known, &batch, name, &mut out)?;
        }
        Ok::<(), GateError>(())
    })?;
    let finished = |writer: Option<PartWriter>| writer.map(PartWriter::finish).transpose();
    Ok(Decided {
        staged: out.staged.finish()?,
        rejected: finished(out.rejected)?,
        dispositions: finished(out.dispositions)?,
        others: out.others,
    })
}

fn decide_batch(
    of: &Decide<'_>,
    known: &Known<'_>,
    batch: &RecordBatch,
    name: &str,
    out: &mut Out,
) -> Result<(), GateError> {
    let uneven = |what: String| GateError::Uneven { table: of.table.name.clone(), what };
    let column = |name: &str| batch.column_by_name(name).ok_or_else(|| uneven(format!("no column {name}")));
    let (inside, money) = (column("__in")?.as_boolean(), column("__money")?.as_boolean());
    let (keys, sources, skeys) = (
        column("_key")?.as_string::<i32>(),
        column("_source")?.as_string::<i32>(),
        column("_skey")?.as_string::<i32>(),
    );
    let mut of_parents = Vec::new();
    for (no, parent) in known.parents.0.iter().enumerate() {
        of_parents.push((parent, column(&format!("__parent{no}"))?.as_string::<i32>()));
    }
    let mut buffer = Vec::new();
    let mut dispositions: Vec<Option<Disposition>> = Vec::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        let asked = !known.blocked.is_empty() || !known.excluded.is_empty() || !known.merged.is_empty();
        let at = asked.then(|| {
            let key = keys.is_valid(row).then(|| keys.value(row));
            let skey = skeys.is_valid(row).then(|| skeys.value(row));
            place(&mut buffer, key, sources.value(row), skey)
        });
        let rules = at.and_then(|at| known.blocked.reason(at));
        let taken = at.map(|at| (known.excluded.reason(at), known.merged.into(at))).unwrap_or_default();
        let lost = of_parents.iter().filter(|(_, keys)| keys.is_valid(row)).filter_map(|(parent, keys)| {
            Some((parent.table.as_str(), keys.value(row), parent.lost(keys.value(row))?))
        });
        dispositions.push(disposition((inside.value(row), money.value(row)), taken, rules, lost));
    }
    let rows = batch
        .project(&(0..out.schema.fields().len()).collect::<Vec<_>>())
        .and_then(|b| RecordBatch::try_new(out.schema.clone(), b.columns().to_vec()))
        .map_err(|e| uneven(e.to_string()))?;
    write(of, &rows, dispositions, name, out).map_err(|e| match e {
        Written::Arrow(e) => uneven(e.to_string()),
        Written::Gate(e) => e,
    })
}

/// The precedence of dispositions; `garbage` is the rule that excludes the row, `merged` the one that merges it, with the survivor.
fn disposition<'a>(
    (inside, money): (bool, bool),
    (garbage, merged): (Option<&str>, Option<(&str, &str)>),
    rules: Option<&str>,
    lost: impl Iterator<Item = (&'a str, &'a str, Lost)>,
) -> Option<Disposition> {
    let by = |disposition, reason: &str, parent: Option<&str>| {
        Some(Disposition { disposition, reason: reason.to_owned(), parent: parent.map(str::to_owned) })
    };
    if !inside {
        return by("excluded", OUT_OF_SCOPE, None);
    }
    if let Some(rule) = garbage {
        return by("excluded", rule, None);
    }
    let mut held = None;
    for (table, key, lost) in lost {
        if lost == Lost::Excluded && !money {
            return by("excluded", table, Some(key));
        }
        held = held.or(Some((table, key)));
    }
    if let Some((rule, survivor)) = merged {
        return by("merged", rule, Some(survivor));
    }
    match (rules, held) {
        (Some(rules), _) => by("rejected", rules, None),
        (None, Some((table, key))) => by("held", table, Some(key)),
        (None, None) => None,
    }
}

enum Written {
    Arrow(arrow::error::ArrowError),
    Gate(GateError),
}

impl From<arrow::error::ArrowError> for Written {
    fn from(e: arrow::error::ArrowError) -> Self {
        Self::Arrow(e)
    }
}

impl From<crate::dataset::DatasetError> for Written {
    fn from(e: crate::dataset::DatasetError) -> Self {
        Self::Gate(e.into())
    }
}

fn write(
    of: &Decide<'_>,
    rows: &RecordBatch,
    dispositions: Vec<Option<Disposition>>,
    name: &str,
    out: &mut Out,
) -> Result<(), Written> {
    if dispositions.iter().all(Option::is_none) {
        return Ok(out.staged.write(rows)?);
    }
    let accepted: BooleanArray = dispositions.iter().map(|f| Some(f.is_none())).collect();
    let others: BooleanArray = dispositions.iter().map(|f| Some(f.is_some())).collect();
    out.staged.write(&filter_record_batch(rows, &accepted)?)?;
    let rows = filter_record_batch(rows, &others)?;
    let dispositions: Vec<Disposition> = dispositions.into_iter().flatten().collect();
    let text = |of: &dyn Fn(&Disposition) -> &str| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(dispositions.iter().map(of)))
    };
    let (disposition, reason) = (text(&|f| f.disposition), text(&|f| &f.reason));
    let schema = rejected_schema(&out.schema);
    let mut columns = rows.columns().to_vec();
    columns.extend([disposition.clone(), reason.clone()]);
    let kept = RecordBatch::try_new(schema.clone(), columns)?;
    let lineage = ["_key", "_source", "_skey"].map(|c| rows.column_by_name(c).cloned());
    let [Some(key), Some(source), Some(skey)] = lineage else {
        let what = "no lineage".to_owned();
        return Err(Written::Gate(GateError::Uneven { table: of.table.name.clone(), what }));
    };
    let parent: ArrayRef =
        Arc::new(dispositions.iter().map(|f| f.parent.as_deref()).collect::<StringArray>());
    let said =
        RecordBatch::try_new(disposition_schema(), vec![key, source, skey, disposition, reason, parent])?;
    into(&mut out.rejected, &of.rejected.join(name), schema)?.write(&kept)?;
    into(&mut out.dispositions, &of.dispositions.join(name), disposition_schema())?.write(&said)?;
    for f in dispositions {
        *out.others.entry((f.disposition, f.reason)).or_default() += 1;
    }
    Ok(())
}

/// The writer, opened at its first row.
fn into<'w>(
    writer: &'w mut Option<PartWriter>,
    path: &Path,
    schema: SchemaRef,
) -> Result<&'w mut PartWriter, crate::dataset::DatasetError> {
    if writer.is_none() {
        *writer = Some(PartWriter::create(path, schema)?);
    }
    writer.as_mut().ok_or_else(|| crate::dataset::DatasetError::Empty { dir: path.display().to_string() })
}
