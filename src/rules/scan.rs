//! One scan of a table for many rules of a work item: which of them are about any of its rows, and what its row rules find.
//!
//! Always: a row rule gives the same lines as its query alone would: its conditions and columns are the planner's own, asked of each batch of the
//! table. Streams are read side by side; what they find comes in any order.
//! Must not know: what becomes of what is found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, DataFusionError, TableReference};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SessionState;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, PhysicalExpr};
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::fault::RuleError;
use super::file::Rule;
use super::tables::Tables;
use crate::engine::Engine;
use crate::phrase;

/// So many batches of what was found may wait for each stream.
const WAITING: usize = 4;

type Asked = Result<Arc<dyn PhysicalExpr>, DataFusionError>;

/// A table that rules look at.
pub(super) struct Scan<'a> {
    engine: &'a Engine,
    table: &'a str,
    provider: Arc<dyn TableProvider>,
    state: SessionState,
}

/// What a row rule asks of a row, over the whole table.
struct Query {
    filter: Option<Expr>,
    columns: Vec<(String, Expr)>,
    /// Its name for the table.
    alias: TableReference,
}

/// The same, over the columns that are read.
struct Bound {
    filter: Option<Arc<dyn PhysicalExpr>>,
    columns: Vec<Arc<dyn PhysicalExpr>>,
    schema: SchemaRef,
}

/// The numbers of the columns that are read, and what each rule asks of them.
type Reading = (Vec<usize>, BTreeMap<usize, Bound>);

/// What one stream found for the rule of that number.
type Found = Result<(usize, RecordBatch), (usize, DataFusionError)>;

impl<'a> Scan<'a> {
    pub(super) fn new(
        engine: &'a Engine,
        tables: &Tables<'_>,
        table: &'a str,
    ) -> Result<Option<Self>, RuleError> {
        let Some(provider) = tables.table(table)? else { return Ok(None) };
        let state = tables.session(&BTreeSet::from([table.to_owned()]))?.state();
        Ok(Some(Self { engine, table, provider, state }))
    }

    /// Of some conditions those that hold for at least one row. It reads no further than it needs to.
    pub(super) fn hold(&self, conditions: &BTreeSet<&'a str>) -> Result<BTreeSet<&'a str>, RuleError> {
        let what = || phrase!("work.among", table = self.table);
        let failed = |e| RuleError::from(self.engine.error(what(), e));
        let alias = TableReference::bare(self.table);
        let whole = self.qualified(&alias, &self.provider.schema()).map_err(failed)?;
        let mut wanted = Vec::new();
        for condition in conditions {
            wanted.push((*condition, self.state.create_logical_expr(condition, &whole).map_err(failed)?));
        }
        let read = columns_of(wanted.iter().map(|(_, e)| e), &whole).map_err(failed)?;
        let schema = self.qualified(&alias, &self.projected(&read)).map_err(failed)?;
        let mut open = Vec::new();
        for (condition, expression) in wanted {
            open.push((condition, self.physical(expression, &schema).map_err(failed)?));
        }
        let mut holding = BTreeSet::new();
        self.engine.block_on(async {
            let plan = self.plan(&read).await.map_err(failed)?;
            for partition in 0..plan.output_partitioning().partition_count() {
                let mut stream = plan.execute(partition, self.state.task_ctx()).map_err(failed)?;
                while let Some(batch) = stream.next().await {
                    let batch = batch.map_err(failed)?;
                    let mut still = Vec::new();
                    for (condition, expression) in open.drain(..) {
                        if passing(&expression, &batch).map_err(failed)?.true_count() > 0 {
                            holding.insert(condition);
                        } else {
                            still.push((condition, expression));
                        }
                    }
                    if still.is_empty() {
                        return Ok(());
                    }
                    open = still;
                }
            }
            Ok::<(), RuleError>(())
        })?;
        Ok(holding)
    }

    /// What row rules find: every batch of every rule by its number. Each rule comes with its whole query; one that is not planned as a filter and
    /// columns over the table alone is not taken: its number is returned.
    pub(super) fn find(
        &self,
        rules: &[(&Rule, String)],
        mut take: impl FnMut(usize, &RecordBatch) -> Result<(), RuleError>,
    ) -> Result<Vec<usize>, RuleError> {
        let failed = |at: usize, e| self.failed(rules, at, e);
        let (mut queries, mut left) = (BTreeMap::new(), Vec::new());
        for (at, (_, sql)) in rules.iter().enumerate() {
            let plan = futures::executor::block_on(self.state.create_logical_plan(sql));
            match taken_apart(plan.map_err(|e| failed(at, e))?) {
                Some(query) => {
                    queries.insert(at, query);
                }
                None => left.push(at),
            }
        }
        if queries.is_empty() {
            return Ok(left);
        }
        let (read, bound) = self.bind(&queries).map_err(|(at, e)| failed(at, e))?;
        let bound = Arc::new(bound);
        self.engine.block_on(async {
            let any = |e| failed(0, e);
            let plan = self.plan(&read).await.map_err(any)?;
            let streams = plan.output_partitioning().partition_count();
            let (found, mut all) = mpsc::channel(streams.max(1) * WAITING);
            let mut tasks = JoinSet::new();
            for partition in 0..streams {
                let stream = plan.execute(partition, self.state.task_ctx()).map_err(any)?;
                tasks.spawn(look(stream, bound.clone(), found.clone()));
            }
            drop(found);
            while let Some(one) = all.recv().await {
                let (at, batch) = one.map_err(|(at, e)| failed(at, e))?;
                take(at, &batch)?;
            }
            while let Some(ended) = tasks.join_next().await {
                ended.map_err(|e| any(DataFusionError::External(Box::new(e))))?;
            }
            Ok::<(), RuleError>(())
        })?;
        Ok(left)
    }

    fn failed(&self, rules: &[(&Rule, String)], at: usize, e: DataFusionError) -> RuleError {
        let name = rules.get(at).map_or("", |(rule, _)| rule.name.as_str());
        let what = match rules {
            [_] | [] => phrase!("work.rule", name),
            many => phrase!("work.rule_of_scan", name, table = self.table, others = many.len() - 1),
        };
        self.engine.error(what, e).into()
    }

    /// The columns that queries read, and the queries over them.
    fn bind(&self, queries: &BTreeMap<usize, Query>) -> Result<Reading, (usize, DataFusionError)> {
        let whole = self.provider.schema();
        let mut read = BTreeSet::new();
        for (at, query) in queries {
            let schema = self.qualified(&query.alias, &whole).map_err(|e| (*at, e))?;
            let all = query.columns.iter().map(|(_, e)| e).chain(&query.filter);
            read.extend(columns_of(all, &schema).map_err(|e| (*at, e))?);
        }
        let read: Vec<usize> = read.into_iter().collect();
        let projected = self.projected(&read);
        let mut bound = BTreeMap::new();
        for (at, query) in queries {
            bound.insert(*at, self.bound(query, &projected).map_err(|e| (*at, e))?);
        }
        Ok((read, bound))
    }

    fn bound(&self, query: &Query, projected: &SchemaRef) -> Result<Bound, DataFusionError> {
        let schema = self.qualified(&query.alias, projected)?;
        let filter = query.filter.clone().map(|e| self.physical(e, &schema)).transpose()?;
        let (mut columns, mut fields) = (Vec::new(), Vec::new());
        for (name, expression) in &query.columns {
            let physical = self.physical(expression.clone(), &schema)?;
            fields.push(Field::new(name, physical.data_type(projected)?, true));
            columns.push(physical);
        }
        Ok(Bound { filter, columns, schema: Arc::new(Schema::new(fields)) })
    }

    fn qualified(&self, alias: &TableReference, schema: &SchemaRef) -> Result<DFSchema, DataFusionError> {
        DFSchema::try_from_qualified_schema(alias.clone(), schema)
    }

    fn projected(&self, read: &[usize]) -> SchemaRef {
        let whole = self.provider.schema();
        Arc::new(Schema::new(read.iter().map(|at| whole.field(*at).clone()).collect::<Vec<_>>()))
    }

    fn physical(&self, expression: Expr, schema: &DFSchema) -> Asked {
        // As the optimiser would: some functions run only in their simpler form.
        let context = SimplifyContext::builder()
            .with_schema(Arc::new(schema.clone()))
            .with_config_options(self.state.config_options().clone())
            .build();
        let simplifier = ExprSimplifier::new(context);
        let expression = simplifier.simplify(simplifier.coerce(expression, schema)?)?;
        self.state.create_physical_expr(expression, schema)
    }

    async fn plan(&self, read: &[usize]) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        self.provider.scan(&self.state, Some(&read.to_vec()), &[], None).await
    }
}

/// The numbers of the columns that expressions read, ascending.
fn columns_of<'e>(
    all: impl IntoIterator<Item = &'e Expr>,
    schema: &DFSchema,
) -> Result<Vec<usize>, DataFusionError> {
    let mut read = BTreeSet::new();
    for expression in all {
        expression.apply(|e| {
            if let Expr::Column(column) = e {
                read.insert(schema.index_of_column(column)?);
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
    }
    Ok(read.into_iter().collect())
}

/// A plan that is columns over a filter over a table, or over the table alone.
fn taken_apart(plan: LogicalPlan) -> Option<Query> {
    let LogicalPlan::Projection(of) = plan else { return None };
    let names: Vec<String> = of.schema.fields().iter().map(|f| f.name().clone()).collect();
    let (filter, from) = match of.input.as_ref() {
        LogicalPlan::Filter(filter) => (Some(filter.predicate.clone()), filter.input.as_ref()),
        other => (None, other),
    };
    let alias = match from {
        LogicalPlan::SubqueryAlias(of) if matches!(of.input.as_ref(), LogicalPlan::TableScan(_)) => {
            of.alias.clone()
        }
        LogicalPlan::TableScan(of) => of.table_name.clone(),
        _ => return None,
    };
    (names.len() == of.expr.len()).then(|| Query {
        filter,
        columns: names.into_iter().zip(of.expr).collect(),
        alias,
    })
}

/// Asks every rule of every batch of a stream.
async fn look(
    mut stream: SendableRecordBatchStream,
    rules: Arc<BTreeMap<usize, Bound>>,
    found: mpsc::Sender<Found>,
) {
    while let Some(batch) = stream.next().await {
        let batch = match batch {
            Ok(batch) => batch,
            Err(e) => {
                let first = rules.keys().next().copied().unwrap_or_default();
                // Where nobody listens another stream has failed.
                let _ = found.send(Err((first, e))).await;
                return;
            }
        };
        for (at, rule) in rules.iter() {
            let said = match rule.of(&batch) {
                Ok(none) if none.num_rows() == 0 => continue,
                Ok(some) => Ok((*at, some)),
                Err(e) => Err((*at, e)),
            };
            let ends = said.is_err();
            if found.send(said).await.is_err() || ends {
                return;
            }
        }
    }
}

impl Bound {
    fn of(&self, batch: &RecordBatch) -> Result<RecordBatch, DataFusionError> {
        let some = match &self.filter {
            Some(filter) => {
                let passing = passing(filter, batch)?;
                if passing.true_count() == 0 {
                    return Ok(RecordBatch::new_empty(self.schema.clone()));
                }
                filter_record_batch(batch, &passing)?
            }
            None => batch.clone(),
        };
        let columns = self
            .columns
            .iter()
            .map(|c| c.evaluate(&some)?.into_array(some.num_rows()))
            .collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(some.num_rows()));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?)
    }
}

/// The rows of a batch for which a condition holds.
fn passing(condition: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> Result<BooleanArray, DataFusionError> {
    let said = condition.evaluate(batch)?.into_array(batch.num_rows())?;
    let said = said.as_boolean_opt().cloned();
    let said =
        said.ok_or_else(|| DataFusionError::Plan("the condition is neither true nor false".to_owned()))?;
    Ok(if said.null_count() > 0 { arrow::compute::prep_null_mask_filter(&said) } else { said })
}
