//! Windows that hold the rows of a few groups (PARTITION BY) at a time, not those of a whole table.
//!
//! DataFusion's own operator for windows that look at a whole group keeps its input outside the memory pool and gives it out as one batch, which
//! the sort behind it then cannot take: ten million payments counted by unit need all the memory that they have.
//! Always: the same rows in the same order; what is held is reserved in the pool.
//! Must not know: what is computed.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, RecordBatch};
use datafusion::arrow::compute::{SortColumn, concat, concat_batches};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::utils::evaluate_partition_ranges;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::windows::WindowAggExec;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties, WindowExpr,
};
use futures::{StreamExt, TryStreamExt, stream};

use crate::dataset::BATCH_ROWS;

/// Puts [`WindowGroups`] in the place of the operator that holds all; it comes last, when everything else is settled.
#[derive(Debug)]
pub(super) struct ByGroups;

impl PhysicalOptimizerRule for ByGroups {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let Some(window) = node.downcast_ref::<WindowAggExec>() else { return Ok(Transformed::no(node)) };
            if window.window_expr()[0].partition_by().is_empty() {
                return Ok(Transformed::no(node));
            }
            let window = WindowGroups { window: window.clone() };
            Ok(Transformed::yes(Arc::new(window) as Arc<dyn ExecutionPlan>))
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "windows by groups"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// A window whose input comes group by group.
#[derive(Debug)]
struct WindowGroups {
    window: WindowAggExec,
}

impl DisplayAs for WindowGroups {
    fn fmt_as(&self, t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "by groups: ")?;
        self.window.fmt_as(t, f)
    }
}

impl ExecutionPlan for WindowGroups {
    fn name(&self) -> &'static str {
        "WindowGroups"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.window.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.window.children()
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.window.apply_expressions(f)
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        self.window.maintains_input_order()
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let window = Arc::new(self.window.clone()).replace_children(children, options)?;
        let window = window.downcast_ref::<WindowAggExec>().cloned();
        let window = window.ok_or_else(|| DataFusionError::Internal("a window is no window".to_owned()))?;
        Ok(Arc::new(Self { window }))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = self.window.input().execute(partition, context.clone())?;
        let held = MemoryConsumer::new("window").register(context.memory_pool());
        let schema = self.window.schema();
        let groups = Groups {
            input,
            windows: self.window.window_expr().to_vec(),
            schema: schema.clone(),
            pending: Vec::new(),
            rows: 0,
            wanted: BATCH_ROWS,
            held,
        };
        let batches = stream::try_unfold(groups, |mut groups| async move {
            Ok(groups.next().await?.map(|batch| (batch, groups)))
        });
        let batches: futures::stream::BoxStream<'static, Result<RecordBatch>> = batches.into_stream().boxed();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }
}

/// Rows of groups that are not at their end.
struct Groups {
    input: SendableRecordBatchStream,
    windows: Vec<Arc<dyn WindowExpr>>,
    schema: SchemaRef,
    pending: Vec<RecordBatch>,
    /// Of what is pending.
    rows: usize,
    /// With so many rows pending it is looked for the last group among them.
    wanted: usize,
    held: MemoryReservation,
}

impl Groups {
    /// The next groups that are whole, with their windows.
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            let read = self.input.next().await.transpose()?;
            let ended = read.is_none();
            if let Some(batch) = read {
                self.rows += batch.num_rows();
                self.held.try_grow(bytes(&batch))?;
                self.pending.push(batch);
            }
            if self.rows == 0 && ended {
                return Ok(None);
            }
            if self.rows < self.wanted && !ended {
                continue;
            }
            let whole = concat_batches(&self.input.schema(), &self.pending)?;
            let groups = self.groups(&whole)?;
            let last = groups.last().map_or(0, |group| group.start);
            let end = if ended { whole.num_rows() } else { last };
            self.keep(&whole, end)?;
            if end == 0 {
                // One group: it is looked at again when there is twice as much of it.
                self.wanted = self.rows * 2;
                continue;
            }
            self.wanted = BATCH_ROWS.max(self.rows * 2);
            let groups = groups.into_iter().filter(|group| group.end <= end);
            return self.windows(&whole.slice(0, end), groups).map(Some);
        }
    }

    fn groups(&self, batch: &RecordBatch) -> Result<Vec<std::ops::Range<usize>>> {
        let by = self.windows[0].partition_by().iter();
        let by = by.map(|key| {
            let values = key.evaluate(batch)?.into_array(batch.num_rows())?;
            Ok(SortColumn { values, options: None })
        });
        evaluate_partition_ranges(batch.num_rows(), &by.collect::<Result<Vec<_>>>()?)
    }

    /// Keeps the rows from `from` on; a copy, so that the others go.
    fn keep(&mut self, whole: &RecordBatch, from: usize) -> Result<()> {
        let left = whole.slice(from, whole.num_rows() - from);
        self.rows = left.num_rows();
        self.pending = match self.rows {
            0 => Vec::new(),
            _ => vec![concat_batches(&self.input.schema(), [&left])?],
        };
        self.held.try_resize(self.pending.iter().map(bytes).sum())?;
        Ok(())
    }

    /// Whole groups with the columns of their windows.
    fn windows(
        &self,
        batch: &RecordBatch,
        groups: impl Iterator<Item = std::ops::Range<usize>>,
    ) -> Result<RecordBatch> {
        let mut of_window: Vec<Vec<ArrayRef>> = vec![Vec::new(); self.windows.len()];
        for group in groups {
            let rows = batch.slice(group.start, group.len());
            for (window, arrays) in self.windows.iter().zip(&mut of_window) {
                arrays.push(window.evaluate(&rows)?);
            }
        }
        let mut columns = batch.columns().to_vec();
        for arrays in &of_window {
            columns.push(concat(&arrays.iter().map(AsRef::as_ref).collect::<Vec<_>>())?);
        }
        Ok(RecordBatch::try_new(self.schema.clone(), columns)?)
    }
}

/// What the rows of a batch take: several batches may be slices of the same memory.
fn bytes(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(|c| c.to_data().get_slice_memory_size().unwrap_or(0)).sum()
}
