//! Layer 2: one branch over one legacy table → mapped rows, and for groups their lineage.
//!
//! Always: a `row` or `split` branch without joins turns typed part n into mapped part n, parts side by side (of a split: the rows of its
//! first part, then those of its second, …); everything else is ordered by `_key`, `_skey` and cut into parts of fixed size, a split
//! each of its parts by itself. No query has more than one scan of the driving table, so memory does not grow with the parts of a split.
//! A join never changes the number of rows: a key that several joined rows have is an error before anything is computed. A value that
//! an expression refuses, or that its national column does not hold, is NULL and a read error of its row. Rows used + rows left out = rows of
//! the legacy table.
//! Must not know: findings, dispositions.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use futures::StreamExt;

use super::error::{MappingError, mask_of};
use super::failure::Failure;
use super::file::{Branch, City, Group, Join, Part, Reason, Shape, TableMapping};
use super::guard::{self, Guarded};
use super::layer1::LegacyTable;
use super::parts::{Naming, Parts, file_name, prefix, without};
use super::read_errors::{Counts, ReadErrorSink, Row, value_text};
use super::sql::{self, FROM, Order, join_name};
use super::unique;
use crate::artifacts::lineage_schema;
use crate::dataset::{self, PartInfo};
use crate::engine::{Engine, EngineError, Joins};
use crate::functions::noting;
use crate::mask::{self, MaskKind};
use crate::national::National;

/// Up to so many rows on the joined side, a hash join holds it in memory; above, both sides are sorted and merged, which spills.
const SMALL_SIDE: u64 = 200_000;

/// Where the typed rows of each legacy table lie.
#[derive(Debug, Clone, Default)]
pub struct TypedTables {
    /// By label: the table's name, and the folder of its parts.
    tables: BTreeMap<String, (String, PathBuf)>,
    /// Views and columns of joins that were proved n:1: typed parts do not change, so once is enough.
    proved: Arc<Mutex<Proved>>,
}

/// Joins that were proved n:1: a view, and its columns.
type Proved = BTreeSet<(String, Vec<String>)>;

impl TypedTables {
    /// Names the folder that layer 1 of a legacy table wrote.
    pub fn add(&mut self, legacy: &LegacyTable, typed: PathBuf) {
        self.tables.insert(legacy.label(), (legacy.name.clone(), typed));
    }

    fn proved(&self) -> MutexGuard<'_, Proved> {
        self.proved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The typed parts of one legacy table (`ylbx.GRJBXX`).
    ///
    /// # Errors
    /// `MAP-106` when layer 1 has not run, `DAT-005`.
    pub fn of_table(&self, label: &str, view: &str) -> Result<Vec<PathBuf>, MappingError> {
        let missing = || MappingError::NotRead { view: view.to_owned() };
        let (_, dir) = self.tables.get(label).ok_or_else(missing)?;
        Ok(dataset::parts(dir)?)
    }

    /// The typed parts of every legacy table that a view reads.
    ///
    /// # Errors
    /// `MAP-106` when layer 1 has not run, `DAT-005`.
    pub fn of_view(&self, city: &City, view: &str) -> Result<Vec<PathBuf>, MappingError> {
        let missing = || MappingError::NotRead { view: view.to_owned() };
        let reads = city.view(view).ok_or_else(missing)?;
        let own = |(label, (name, _)): &(&String, &(String, PathBuf))| {
            label.strip_suffix(name.as_str()) == Some(&format!("{}.", reads.source)) && reads.matches(name)
        };
        let mut parts = Vec::new();
        for (_, (_, dir)) in self.tables.iter().filter(own) {
            parts.extend(dataset::parts(dir)?);
        }
        if parts.is_empty() { Err(missing()) } else { Ok(parts) }
    }
}

/// Where a branch goes. Several legacy tables of a family share the folders: the parts of each start with its name.
#[derive(Debug, Clone)]
pub struct MappedOut {
    /// `mapped/<NATIONAL>/<branch>`
    pub mapped: PathBuf,
    /// `lineage/<NATIONAL>/<branch>`; written by group branches only.
    pub lineage: PathBuf,
    /// `read errors/mapped/<NATIONAL>/<branch>`; written only where there are read errors.
    pub read_errors: PathBuf,
}

/// What one branch made of one legacy table: `total` = `used` + Σ `left_out`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct BranchReport {
    /// Rows of the legacy table.
    pub total: u64,
    /// Mapped rows.
    pub rows: u64,
    /// Legacy rows that went into a mapped row.
    pub used: u64,
    /// Legacy rows that did not, by reason; none with 0 rows.
    pub left_out: Vec<(Reason, u64)>,
    pub parts: Vec<PartInfo>,
    pub lineage: Vec<PartInfo>,
    /// Read errors of layer 2: what an expression refused, what did not fit its national type.
    pub read_errors: Vec<PartInfo>,
    /// Their number by column (`AC01.AAC003`) and code (the expression, or `fit`).
    pub read_error_counts: Counts,
}

/// One branch over one legacy table, ready to run.
struct Edge<'a> {
    engine: &'a Engine,
    city: &'a City,
    table: &'a TableMapping,
    /// Its SQL reports what it refuses.
    branch: &'a Branch,
    /// The same over single rows, for the lineage of a group.
    single: &'a Branch,
    read_errors: &'a Arc<ReadErrorSink>,
    typed: &'a TypedTables,
    /// `ylbx.GRJBXX`
    label: String,
    /// Typed parts of the legacy table.
    from: Vec<PathBuf>,
    total: u64,
    finish: Arc<Finish>,
    out: &'a MappedOut,
    prefix: String,
}

/// Maps one legacy table by one branch.
///
/// # Errors
/// `MAP-104` when a join is not n:1, `MAP-106` when layer 1 has not run, `MAP-108` when an expression cannot be computed at all,
/// `MAP-105` when rows were lost or made, `ENG-001`, `ENG-002`, and errors of the datasets.
#[allow(clippy::too_many_arguments)]
pub fn translate(
    engine: &Engine,
    city: &City,
    national: &National,
    table: &TableMapping,
    branch: &Branch,
    legacy_table: &str,
    typed: &TypedTables,
    out: &MappedOut,
) -> Result<BranchReport, MappingError> {
    let missing = || MappingError::NotRead { view: branch.from.view.clone() };
    let view = city.view(&branch.from.view).ok_or_else(missing)?;
    let schema = national.table(&table.table).ok_or_else(missing)?.mapped_schema();
    let label = format!("{}.{legacy_table}", view.source);
    let from = typed.of_table(&label, &view.name)?;
    let mut total = 0;
    for part in &from {
        total += dataset::row_count(part)?;
    }
    let prefix = prefix(legacy_table);
    without(&out.mapped, &prefix)?;
    let state = engine.session(1, Joins::Large).state();
    let aggregates = |name: &str| {
        state.aggregate_functions().contains_key(name) && !state.scalar_functions().contains_key(name)
    };
    let Guarded { rows, lineage, sites } = guard::guarded(&table.table, branch, &aggregates);
    let read_errors = ReadErrorSink::begin(&out.read_errors, &prefix, &label, sites)?;
    let finish = Arc::new(Finish {
        schema,
        label: label.clone(),
        table: table.table.clone(),
        read_errors: read_errors.clone(),
    });
    let edge = Edge {
        engine,
        city,
        table,
        branch: &rows,
        single: &lineage,
        read_errors: &read_errors,
        typed,
        label,
        from,
        total,
        finish,
        out,
        prefix,
    };
    let done = match &rows.shape {
        Shape::Row if rows.joins.is_empty() => edge.row_wise(),
        Shape::Row => edge.joined(),
        Shape::Split(parts) => edge.split(parts),
        Shape::Group(group) => edge.group(group),
    };
    let mut report = done.map_err(|e| edge.at_fault(e))?;
    edge.conserved(&report)?;
    (report.read_errors, report.read_error_counts) = read_errors.finish(engine, &report.lineage)?;
    Ok(report)
}

impl Edge<'_> {
    fn what(&self) -> String {
        format!("the mapping of {} by branch {} from {}", self.table.table, self.branch.name, self.label)
    }

    fn run<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, MappingError> {
        self.engine.block_on(work).map_err(|e| e.into_mapping(self.engine, &self.what()))
    }

    /// The functions that report refused values, in a session that runs this branch.
    fn reports(&self, session: &SessionContext) {
        for function in noting(self.city.codes.clone(), self.read_errors.notice()) {
            session.register_udf(function);
        }
    }

    /// The same error, with the column whose expression is at fault: each is computed alone, up to the one that fails.
    fn at_fault(&self, e: MappingError) -> MappingError {
        let MappingError::Engine(EngineError::Query { source, .. }) = &e else { return e };
        let computing = matches!(
            source.find_root(),
            DataFusionError::ArrowError(_, _)
                | DataFusionError::Execution(_)
                | DataFusionError::Collection(_)
        );
        if !computing {
            return e;
        }
        let cause = mask::scrub(source.find_root().strip_backtrace().lines().next().unwrap_or_default());
        let bare = Branch { columns: Vec::new(), shape: Shape::Row, ..self.branch.clone() };
        let columns = self.branch.all_columns().map(|mapped| {
            let shape = match &self.branch.shape {
                Shape::Group(group) => Shape::Group(group.clone()),
                Shape::Row | Shape::Split(_) => Shape::Row,
            };
            (mapped.column.as_str(), Branch { columns: vec![mapped.clone()], shape, ..bare.clone() })
        });
        let filter = std::iter::once(("where", bare.clone()));
        let failing = filter.chain(columns).find(|(_, one)| self.alone(one).is_err());
        let column = failing.map_or_else(|| "a condition".to_owned(), |(column, _)| column.to_owned());
        MappingError::Expression {
            table: self.table.table.clone(),
            branch: self.branch.name.clone(),
            from: self.label.clone(),
            column,
            cause,
        }
    }

    /// Computes a branch and drops its rows.
    fn alone(&self, branch: &Branch) -> Result<(), MappingError> {
        let session = self.session()?;
        self.run(async {
            let mut stream =
                session.sql(&sql::rows(branch, &[], Order::AsItComes)).await?.execute_stream().await?;
            while let Some(batch) = stream.next().await {
                batch?;
            }
            Ok(())
        })
    }

    fn numbered(&self) -> Naming {
        Naming::Numbered { prefix: self.prefix.clone() }
    }

    /// A part for a part: the rows of one query after the other.
    fn part_for_part(&self, queries: Vec<String>) -> Result<Vec<PartInfo>, MappingError> {
        let queries: Arc<[String]> = queries.into();
        let jobs = self.from.iter().map(|part| {
            // A registered table is the session's: each part has a session of its own.
            let session = self.engine.session(1, Joins::OneSmall);
            self.reports(&session);
            let (queries, part, finish) = (queries.clone(), part.clone(), self.finish.clone());
            let name = Naming::One(format!("{}{}", self.prefix, file_name(&part)));
            let parts = Parts::new(&self.out.mapped, finish.schema.clone(), name);
            tokio::spawn(async move {
                dataset::register(&session, FROM, &[part])?;
                written(&session, &queries, parts, |batch| finish.take(batch)).await
            })
        });
        self.run(async {
            let mut running = futures::stream::iter(jobs).buffered(self.engine.partitions());
            let mut parts = Vec::new();
            while let Some(done) = running.next().await {
                parts.extend(done??);
            }
            Ok(parts)
        })
    }

    fn row_wise(&self) -> Result<BranchReport, MappingError> {
        let sql = sql::rows(self.branch, &self.table.key, Order::AsItComes);
        Ok(self.one_for_one(self.part_for_part(vec![sql])?))
    }

    fn one_for_one(&self, parts: Vec<PartInfo>) -> BranchReport {
        let rows = parts.iter().map(|p| p.rows).sum();
        let mut report =
            BranchReport { total: self.total, rows, used: rows, parts, ..BranchReport::default() };
        self.filtered(&mut report, self.total.saturating_sub(rows));
        report
    }

    fn filtered(&self, report: &mut BranchReport, rows: u64) {
        if let Some(filter) = self.branch.filter.as_ref().filter(|_| rows > 0) {
            report.left_out.push((filter.reason, rows));
        }
    }

    /// A session with the legacy table and every joined view; joins are proved n:1.
    fn session(&self) -> Result<SessionContext, MappingError> {
        let mut views = Vec::new();
        let mut largest = 0;
        for join in &self.branch.joins {
            let parts = self.typed.of_view(self.city, &join.legacy.view)?;
            let mut rows = 0;
            for part in &parts {
                rows += dataset::row_count(part)?;
            }
            largest = largest.max(rows);
            views.push(parts);
        }
        let joins = if largest <= SMALL_SIDE { Joins::OneSmall } else { Joins::Large };
        let session = self.engine.session(self.engine.partitions(), joins);
        self.reports(&session);
        dataset::register(&session, FROM, &self.from)?;
        for (i, parts) in views.iter().enumerate() {
            dataset::register(&session, &join_name(i), parts)?;
            let join = &self.branch.joins[i];
            let proof = (join.legacy.view.clone(), join.columns.clone());
            if !self.typed.proved().contains(&proof) {
                self.run(self.n_to_one(&session, i, parts))?;
                self.typed.proved().insert(proof);
            }
        }
        Ok(session)
    }

    async fn n_to_one(&self, session: &SessionContext, i: usize, parts: &[PathBuf]) -> Result<(), Failure> {
        let join = &self.branch.joins[i];
        let table = join_name(i);
        let found = session.sql(&sql::duplicates(&table, &join.columns)).await?.collect().await?;
        let Some(batch) = found.iter().find(|b| b.num_rows() > 0) else { return Ok(()) };
        let key = batch.column(1).as_string::<i32>().value(0);
        let named = session.sql(&sql::rows_of_key(&table, &join.columns, key)).await?.collect().await?;
        let mut rows = Vec::new();
        for batch in &named {
            let text = |at: usize| batch.column(at).as_string::<i32>();
            rows.extend(
                (0..batch.num_rows()).map(|r| (text(0).value(r).to_owned(), text(1).value(r).to_owned())),
            );
        }
        let joined = join.legacy.view.clone();
        let found = format!(
            "{} rows of {joined} have one such key ({}: {})",
            count(batch, 0),
            mask::key(&self.masks(join), key),
            unique::places(parts, &rows)?.join(", ")
        );
        let (table, columns) = (self.label.clone(), join.columns.join(", "));
        Err(MappingError::JoinTwice { table, joined, columns, found }.into())
    }

    /// How the columns that a join compares are shown.
    fn masks(&self, join: &Join) -> Vec<Option<MaskKind>> {
        let view = self.city.view(&join.legacy.view);
        let kind = |name: &String| view.and_then(|v| v.column(name)).map_or(Some(MaskKind::Text), mask_of);
        join.columns.iter().map(kind).collect()
    }

    async fn mapped(&self, session: &SessionContext, queries: &[String]) -> Result<Vec<PartInfo>, Failure> {
        let parts = Parts::new(&self.out.mapped, self.finish.schema.clone(), self.numbered());
        written(session, queries, parts, |batch| self.finish.take(batch)).await
    }

    fn by_key(&self) -> [String; 1] {
        [sql::rows(self.branch, &self.table.key, Order::ByKey)]
    }

    fn joined(&self) -> Result<BranchReport, MappingError> {
        let session = self.session()?;
        Ok(self.one_for_one(self.run(self.mapped(&session, &self.by_key()))?))
    }

    fn split(&self, parts: &[Part]) -> Result<BranchReport, MappingError> {
        let session = self.session()?;
        let key = &self.table.key;
        let written = if self.branch.joins.is_empty() {
            self.part_for_part(sql::each_part(self.branch, parts, key, Order::AsItComes))?
        } else {
            self.run(self.mapped(&session, &sql::each_part(self.branch, parts, key, Order::ByKey)))?
        };
        let (passed, used) = self.run(async {
            let counts = session.sql(&sql::used(self.branch, parts)).await?.collect().await?;
            let first = counts.iter().find(|b| b.num_rows() > 0);
            Ok((first.map_or(0, |b| count(b, 0)), first.map_or(0, |b| count(b, 1))))
        })?;
        let rows = written.iter().map(|p| p.rows).sum();
        let mut report =
            BranchReport { total: self.total, rows, used, parts: written, ..BranchReport::default() };
        self.filtered(&mut report, self.total.saturating_sub(passed));
        if passed > used {
            report.left_out.push((Reason::NO_PART, passed - used));
        }
        Ok(report)
    }

    fn group(&self, group: &Group) -> Result<BranchReport, MappingError> {
        without(&self.out.lineage, &self.prefix)?;
        let session = self.session()?;
        let (parts, lineage) = self.run(async {
            let parts = self.mapped(&session, &self.by_key()).await?;
            let sql = sql::lineage(self.single, group, &self.table.key);
            let out = Parts::new(&self.out.lineage, lineage_schema(), self.numbered());
            let lineage = written(&session, &[sql], out, |batch| self.finish.lineage(batch)).await?;
            Ok((parts, lineage))
        })?;
        let rows = parts.iter().map(|p| p.rows).sum();
        let used = lineage.iter().map(|p| p.rows).sum();
        let mut report =
            BranchReport { total: self.total, rows, used, parts, lineage, ..BranchReport::default() };
        self.filtered(&mut report, self.total.saturating_sub(used));
        Ok(report)
    }

    /// Used + left out = all.
    fn conserved(&self, report: &BranchReport) -> Result<(), MappingError> {
        let found = report.used + report.left_out.iter().map(|(_, n)| n).sum::<u64>();
        if found == self.total {
            return Ok(());
        }
        Err(MappingError::RowCount {
            table: self.table.table.clone(),
            branch: self.branch.name.clone(),
            from: self.label.clone(),
            expected: self.total,
            found,
        })
    }
}

fn count(batch: &RecordBatch, column: usize) -> u64 {
    u64::try_from(batch.column(column).as_primitive::<Int64Type>().value(0)).unwrap_or(0)
}

/// Streams queries, one after the other, into parts.
async fn written(
    session: &SessionContext,
    queries: &[String],
    mut parts: Parts,
    finish: impl Fn(&RecordBatch) -> Result<RecordBatch, Failure>,
) -> Result<Vec<PartInfo>, Failure> {
    for sql in queries {
        let mut stream = session.sql(sql).await?.execute_stream().await?;
        while let Some(batch) = stream.next().await {
            parts.write(&finish(&batch?)?)?;
        }
    }
    Ok(parts.finish()?)
}

/// What turns a query's columns into the national table's.
struct Finish {
    schema: SchemaRef,
    label: String,
    table: String,
    read_errors: Arc<ReadErrorSink>,
}

impl Finish {
    fn source(&self, rows: usize) -> ArrayRef {
        Arc::new(StringArray::from_iter_values(std::iter::repeat_n(&self.label, rows)))
    }

    /// Every column of the schema: cast, NULL where the branch has none, `_source` the legacy table.
    fn take(&self, batch: &RecordBatch) -> Result<RecordBatch, Failure> {
        let column = |field: &Arc<arrow::datatypes::Field>| {
            if field.name() == "_source" {
                return Ok(self.source(batch.num_rows()));
            }
            match batch.column_by_name(field.name()) {
                Some(found) if found.data_type() == field.data_type() => Ok(found.clone()),
                Some(found) => self.fit(batch, found, field.name(), field.data_type()),
                None => Ok(new_null_array(field.data_type(), batch.num_rows())),
            }
        };
        let columns = self.schema.fields().iter().map(column).collect::<Result<Vec<_>, Failure>>()?;
        Ok(RecordBatch::try_new(self.schema.clone(), columns)?)
    }

    /// In the national type; a value that does not fit is NULL, and a read error of its row.
    fn fit(
        &self,
        batch: &RecordBatch,
        found: &ArrayRef,
        column: &str,
        wanted: &DataType,
    ) -> Result<ArrayRef, Failure> {
        let fitted = cast_with_options(found, wanted, &CastOptions { safe: true, ..CastOptions::default() })?;
        if fitted.logical_null_count() == found.logical_null_count() {
            return Ok(fitted);
        }
        let text = |name: &str| batch.column_by_name(name).and_then(|c| c.as_string_opt::<i32>());
        let (skeys, keys) = (text("_skey"), text("_key"));
        for row in (0..batch.num_rows()).filter(|row| fitted.is_null(*row) && found.is_valid(*row)) {
            let at = match (skeys, keys) {
                (Some(skeys), _) => Row::Legacy(skeys.value(row)),
                (None, Some(keys)) => Row::Group(keys.value(row)),
                (None, None) => Row::Legacy(""),
            };
            let column = format!("{}.{column}", self.table);
            self.read_errors.misfit(at, &column, &value_text(found.as_ref(), row))?;
        }
        Ok(fitted)
    }

    fn lineage(&self, batch: &RecordBatch) -> Result<RecordBatch, Failure> {
        let columns = vec![batch.column(0).clone(), self.source(batch.num_rows()), batch.column(1).clone()];
        Ok(RecordBatch::try_new(lineage_schema(), columns)?)
    }
}
