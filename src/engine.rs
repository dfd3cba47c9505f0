//! The one DataFusion engine: memory, spill, partitions, functions (DEPENDENCIES.md has the measurements behind the settings).
//!
//! Always: one fair, spilling pool for the whole process, sized from `--memory`; text is Utf8, never views; identifiers keep their case;
//! decimal literals stay decimals; spill files lie inside the work directory. Every session of an engine shares the pool.
//! Must not know: what is computed.

mod row_estimates;
mod window_groups;

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::DataFusionError;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, MemoryConsumer, MemoryReservation};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::logical_expr::{ExprSchemable, LogicalPlan};
use datafusion::physical_plan::operator_statistics::{DefaultStatisticsProvider, StatisticsRegistry};
use datafusion::prelude::{SessionConfig, SessionContext};
use miette::Diagnostic;
use thiserror::Error;

use crate::dataset::BATCH_ROWS;
use crate::durable::{self, DurableError};
use crate::error::{Consequence, RetryClass};
use crate::functions::FunctionRegistry;
use crate::{hint, said};
use row_estimates::RowEstimates;
use window_groups::ByGroups;

/// The pool's share of `--memory`, in percent: the process takes 1.2 to 2.5 times the pool.
const POOL_PERCENT: u64 = 40;
/// Below this pool even a sort cannot start.
const LEAST_POOL: u64 = 32 << 20;
/// Kept free in the pool for merging spilled sorts, per partition.
const SORT_RESERVE: usize = 4 << 20;

/// A query could not be planned or run.
#[derive(Debug, Error, Diagnostic)]
pub enum EngineError {
    #[error("{}", said!("ENG-001", what, pool, memory))]
    #[diagnostic(code("ENG-001"), help("{}", hint!("ENG-001", memory)))]
    Exhausted { what: String, memory: u64, pool: u64, source: Box<DataFusionError> },
    #[error("{}", said!("ENG-005", what, spill))]
    #[diagnostic(code("ENG-005"), help("{}", hint!("ENG-005")))]
    Full { what: String, spill: String, source: Box<DataFusionError> },
    #[error("{}", said!("ENG-002", what))]
    #[diagnostic(code("ENG-002"), help("{}", hint!("ENG-002")))]
    Query { what: String, source: Box<DataFusionError> },
    #[error("{}", said!("ENG-003", what, expression))]
    #[diagnostic(code("ENG-003"), help("{}", hint!("ENG-003")))]
    Float { what: String, expression: String },
    #[error("{}", said!("ENG-004"))]
    #[diagnostic(code("ENG-004"), help("{}", hint!("ENG-004")))]
    Start { source: Box<dyn std::error::Error + Send + Sync> },
    #[error(transparent)]
    #[diagnostic(transparent)]
    Durable(#[from] DurableError),
}

impl Consequence for EngineError {
    fn retry_class(&self) -> RetryClass {
        match self {
            Self::Exhausted { .. } | Self::Full { .. } | Self::Query { .. } | Self::Start { .. } => {
                RetryClass::Resume
            }
            Self::Float { .. } => RetryClass::Usage,
            Self::Durable(e) => e.retry_class(),
        }
    }
}

/// What the engine is given.
#[derive(Debug, Clone)]
pub struct EngineSettings {
    /// Bytes for the whole process (`--memory`).
    pub memory: u64,
    /// Folder of spill files, inside the work directory; created when missing.
    pub spill: PathBuf,
    /// Parallel streams of a query, and threads.
    pub partitions: usize,
}

/// Which join to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joins {
    /// Both sides may be large: sort-merge, which spills.
    Large,
    /// One side is known to be small: hash, which does not.
    OneSmall,
}

/// The engine: a pool, threads, functions.
pub struct Engine {
    settings: EngineSettings,
    runtime: Arc<RuntimeEnv>,
    threads: tokio::runtime::Runtime,
    functions: FunctionRegistry,
}

impl Engine {
    /// Starts threads and sizes the pool.
    ///
    /// # Errors
    /// `ENG-004`, `DUR-001` when the spill folder cannot be created.
    pub fn start(settings: EngineSettings, functions: FunctionRegistry) -> Result<Self, EngineError> {
        let start = |source: Box<dyn std::error::Error + Send + Sync>| EngineError::Start { source };
        durable::create_dir_all(&settings.spill)?;
        let disk = DiskManagerBuilder::default()
            .with_mode(DiskManagerMode::Directories(vec![settings.spill.clone()]))
            // The disk itself is the limit.
            .with_max_temp_directory_size(u64::MAX);
        let pool = usize::try_from(pool_bytes(settings.memory)).unwrap_or(usize::MAX);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(FairSpillPool::new(pool)))
            .with_disk_manager_builder(disk)
            .build_arc()
            .map_err(|e| start(Box::new(e)))?;
        let threads = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(settings.partitions.max(1))
            // Spilled batches are read on blocking threads; every further thread keeps memory of its own.
            .max_blocking_threads(settings.partitions.max(1) * 2)
            .thread_name("qianyi-engine")
            .enable_time()
            .build()
            .map_err(|e| start(Box::new(e)))?;
        Ok(Self { settings, runtime, threads, functions })
    }

    /// Parallel streams of a query.
    pub fn partitions(&self) -> usize {
        self.settings.partitions.max(1)
    }

    /// Bytes of the shared pool.
    pub fn pool_bytes(&self) -> u64 {
        pool_bytes(self.settings.memory)
    }

    /// The join for a smaller side of so many rows of about so many bytes: hash when it takes at most a quarter of the pool.
    pub fn joins(&self, small_rows: u64, row_bytes: u64) -> Joins {
        let fits = small_rows.saturating_mul(row_bytes) <= self.pool_bytes() / 4;
        if fits { Joins::OneSmall } else { Joins::Large }
    }

    /// Memory of the pool for what is held beside queries; given back when it is dropped.
    pub fn reservation(&self, of: &str) -> MemoryReservation {
        MemoryConsumer::new(of).register(&self.runtime.memory_pool)
    }

    /// The functions that its sessions know.
    pub fn functions(&self) -> &FunctionRegistry {
        &self.functions
    }

    /// A new session over the shared pool: no tables, all functions.
    pub fn session(&self, partitions: usize, joins: Joins) -> SessionContext {
        let rows = StatisticsRegistry::with_providers(vec![
            Arc::new(RowEstimates),
            Arc::new(DefaultStatisticsProvider),
        ]);
        let mut config = session_config(partitions, joins);
        config.options_mut().optimizer.use_statistics_registry = true;
        let state = SessionStateBuilder::new()
            .with_config(config)
            .with_statistics_registry(rows)
            .with_runtime_env(self.runtime.clone())
            .with_default_features()
            .with_physical_optimizer_rule(Arc::new(ByGroups))
            .build();
        let session = SessionContext::new_with_state(state);
        self.functions.register(&session);
        session
    }

    /// Runs a future on the engine's threads; called from a thread that is not one of them.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.threads.block_on(future)
    }

    /// What a DataFusion error means here; `what` names stage and table, and completes "… could not be computed".
    pub fn error(&self, what: impl Into<String>, e: DataFusionError) -> EngineError {
        let exhausted = matches!(e.find_root(), DataFusionError::ResourcesExhausted(_));
        let full = disk_full(&e);
        let (what, source) = (what.into(), Box::new(e));
        if exhausted {
            let mib = |bytes: u64| bytes >> 20;
            let (memory, pool) = (mib(self.settings.memory), mib(pool_bytes(self.settings.memory)));
            return EngineError::Exhausted { what, memory, pool, source };
        }
        if full {
            let spill = self.settings.spill.display().to_string();
            return EngineError::Full { what, spill, source };
        }
        EngineError::Query { what, source }
    }
}

/// Whether an error is, at its end, that of a full disk.
fn disk_full(e: &DataFusionError) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(e);
    while let Some(one) = cause {
        if one.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::StorageFull) {
            return true;
        }
        cause = one.source();
    }
    false
}

fn pool_bytes(memory: u64) -> u64 {
    (memory / 100 * POOL_PERCENT).max(LEAST_POOL)
}

/// The settings of every session, also of those that only plan.
pub fn session_config(partitions: usize, joins: Joins) -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_target_partitions(partitions.max(1))
        .with_batch_size(BATCH_ROWS)
        .with_information_schema(false);
    let options = config.options_mut();
    options.execution.parquet.schema_force_view_types = false;
    options.execution.sort_spill_reservation_bytes = SORT_RESERVE;
    options.sql_parser.map_string_types_to_utf8view = false;
    options.sql_parser.enable_ident_normalization = false;
    options.sql_parser.parse_float_as_decimal = true;
    options.optimizer.prefer_hash_join = joins == Joins::OneSmall;
    config
}

/// Refuses a plan in which any expression is a floating-point number: no amount may pass through one.
///
/// # Errors
/// `ENG-003` naming the expression; `ENG-002` when a type cannot be told.
pub fn refuse_floats(what: &str, plan: &LogicalPlan) -> Result<(), EngineError> {
    let mut found = None;
    plan.apply_with_subqueries(|node| {
        let mut schema = DFSchema::empty();
        for input in node.inputs() {
            schema.merge(input.schema());
        }
        node.apply_expressions(|expression| {
            expression.apply(|e| {
                if e.get_type(&schema).is_ok_and(|t| is_float(&t)) {
                    found = Some(e.to_string());
                    return Ok(TreeNodeRecursion::Stop);
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })
    .map_err(|e| EngineError::Query { what: what.to_owned(), source: Box::new(e) })?;
    match found {
        Some(expression) => Err(EngineError::Float { what: what.to_owned(), expression }),
        None => Ok(()),
    }
}

fn is_float(t: &DataType) -> bool {
    matches!(t, DataType::Float16 | DataType::Float32 | DataType::Float64)
}
