//! Layer 2: one branch over one legacy table → mapped rows, and for groups their lineage.
//!
//! Always: a `row` or `split` branch without joins turns typed part n into mapped part n, parts side by side (of a split: the rows of its
//! first part, then those of its second, …); everything else is ordered by `_key`, `_skey` and cut into parts of fixed size, a split
//! each of its parts by itself. No query has more than one scan of the driving table, so memory does not grow with the parts of a split.
//! A join never changes the number of rows: a key that several joined rows have is an error before anything is computed. Rows used +
//! rows left out = rows of the legacy table.
//! Must not know: findings, fates.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use datafusion::prelude::SessionContext;
use futures::StreamExt;

use super::error::{MappingError, masked};
use super::failure::Failure;
use super::file::{Branch, City, Group, Part, Reason, Shape, TableMapping};
use super::layer1::LegacyTable;
use super::parts::{Naming, Parts, file_name, prefix, without};
use super::sql::{self, FROM, Order, join_name};
use crate::dataset::{self, PartInfo};
use crate::engine::{Engine, Joins};
use crate::national::National;
use crate::trail::lineage_schema;

/// Up to so many rows on the joined side, a hash join holds it in memory; above, both sides are sorted and merged, which spills.
const SMALL_SIDE: u64 = 200_000;

/// Where the typed rows of each legacy table lie.
#[derive(Debug, Clone, Default)]
pub struct TypedTables(BTreeMap<String, (String, PathBuf)>);

impl TypedTables {
    /// Names the folder that layer 1 of a legacy table wrote.
    pub fn add(&mut self, legacy: &LegacyTable, typed: PathBuf) {
        self.0.insert(legacy.label(), (legacy.name.clone(), typed));
    }

    /// The typed parts of one legacy table (`ylbx.GRJBXX`).
    ///
    /// # Errors
    /// `MAP-106` when layer 1 has not run, `DAT-005`.
    pub fn of_table(&self, label: &str, view: &str) -> Result<Vec<PathBuf>, MappingError> {
        let missing = || MappingError::NotRead { view: view.to_owned() };
        let (_, dir) = self.0.get(label).ok_or_else(missing)?;
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
        for (_, (_, dir)) in self.0.iter().filter(own) {
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
}

/// One branch over one legacy table, ready to run.
struct Edge<'a> {
    engine: &'a Engine,
    city: &'a City,
    table: &'a TableMapping,
    branch: &'a Branch,
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
/// `MAP-104` when a join is not n:1, `MAP-106` when layer 1 has not run, `MAP-107` when a value does not fit its national column,
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
    let finish =
        Finish { schema, label: label.clone(), table: table.table.clone(), branch: branch.name.clone() };
    let finish = Arc::new(finish);
    let edge = Edge { engine, city, table, branch, typed, label, from, total, finish, out, prefix };
    let report = match &branch.shape {
        Shape::Row if branch.joins.is_empty() => edge.row_wise(),
        Shape::Row => edge.joined(),
        Shape::Split(parts) => edge.split(parts),
        Shape::Group(group) => edge.group(group),
    }?;
    edge.conserved(&report)?;
    Ok(report)
}

impl Edge<'_> {
    fn what(&self) -> String {
        format!("the mapping of {} by branch {} from {}", self.table.table, self.branch.name, self.label)
    }

    fn run<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, MappingError> {
        self.engine.block_on(work).map_err(|e| e.into_mapping(self.engine, &self.what()))
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
        dataset::register(&session, FROM, &self.from)?;
        for (i, parts) in views.iter().enumerate() {
            dataset::register(&session, &join_name(i), parts)?;
            self.run(self.n_to_one(&session, i))?;
        }
        Ok(session)
    }

    async fn n_to_one(&self, session: &SessionContext, i: usize) -> Result<(), Failure> {
        let join = &self.branch.joins[i];
        let found = session.sql(&sql::duplicates(&join_name(i), &join.columns)).await?.collect().await?;
        match found.iter().find(|b| b.num_rows() > 0) {
            None => Ok(()),
            Some(batch) => Err(MappingError::JoinTwice {
                table: self.label.clone(),
                joined: join.legacy.view.clone(),
                columns: join.columns.join(", "),
                rows: count(batch, 0),
                key: masked(batch.column(1).as_string::<i32>().value(0)),
            }
            .into()),
        }
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
            let sql = sql::lineage(self.branch, group, &self.table.key);
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
    branch: String,
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
                Some(found) => self.fit(found, field.name(), field.data_type()),
                None => Ok(new_null_array(field.data_type(), batch.num_rows())),
            }
        };
        let columns = self.schema.fields().iter().map(column).collect::<Result<Vec<_>, Failure>>()?;
        Ok(RecordBatch::try_new(self.schema.clone(), columns)?)
    }

    fn fit(&self, found: &ArrayRef, column: &str, wanted: &DataType) -> Result<ArrayRef, Failure> {
        let options = CastOptions { safe: false, ..CastOptions::default() };
        cast_with_options(found, wanted, &options).map_err(|_| {
            // The cause quotes the value: it stays out.
            Failure::Mapping(MappingError::Misfit {
                table: self.table.clone(),
                branch: self.branch.clone(),
                column: column.to_owned(),
                wanted: wanted.to_string(),
            })
        })
    }

    fn lineage(&self, batch: &RecordBatch) -> Result<RecordBatch, Failure> {
        let columns = vec![batch.column(0).clone(), self.source(batch.num_rows()), batch.column(1).clone()];
        Ok(RecordBatch::try_new(lineage_schema(), columns)?)
    }
}
