//! Plans mapping SQL against empty typed tables, to know its types before any row is read.
//!
//! Always: the settings and functions are those of the run. Nothing is executed.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::datasource::empty::EmptyTable;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{LogicalPlan, Volatility};
use datafusion::prelude::SessionContext;

use crate::engine::{EngineError, Joins, refuse_floats, session_config};
use crate::functions::FunctionRegistry;

/// Plans without running.
pub(super) struct Planner {
    session: SessionContext,
    threads: tokio::runtime::Runtime,
}

/// What is known of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// Gives the same value for the same arguments.
    Steady,
    /// Does not (now, random).
    Unsteady,
    Unknown,
}

/// Why SQL does not plan.
pub(super) enum Refusal {
    Sql(String),
    Float(String),
}

impl Planner {
    /// Knows all functions, no tables.
    pub(super) fn new(functions: &FunctionRegistry) -> Result<Self, std::io::Error> {
        let session = SessionContext::new_with_config(session_config(1, Joins::Large));
        functions.register(&session);
        Ok(Self { session, threads: tokio::runtime::Builder::new_current_thread().build()? })
    }

    /// Replaces a table by an empty one of that schema.
    pub(super) fn table(&self, name: &str, schema: SchemaRef) -> Result<(), String> {
        let replace = || {
            self.session.deregister_table(name)?;
            self.session.register_table(name, Arc::new(EmptyTable::new(schema)))
        };
        replace().map(|_| ()).map_err(|e| plain(&e))
    }

    fn analyzed(&self, sql: &str) -> Result<LogicalPlan, DataFusionError> {
        let state = self.session.state();
        let plan = self.threads.block_on(state.create_logical_plan(sql))?;
        state.analyzer().execute_and_check(plan, &state.config_options().clone(), |_, _| {})
    }

    /// The types of a query's columns. No plan may hold a float.
    pub(super) fn types(&self, sql: &str) -> Result<Vec<(String, DataType)>, Refusal> {
        let plan = self.analyzed(sql).map_err(|e| Refusal::Sql(plain(&e)))?;
        refuse_floats("the mapping", &plan).map_err(|e| match e {
            EngineError::Float { expression, .. } => Refusal::Float(expression),
            other => Refusal::Sql(other.to_string()),
        })?;
        Ok(plan.schema().fields().iter().map(|f| (f.name().clone(), f.data_type().clone())).collect())
    }

    /// Whether a function exists and is steady.
    pub(super) fn function(&self, name: &str) -> Known {
        let state = self.session.state();
        if let Some(f) = state.scalar_functions().get(name) {
            let steady = f.signature().volatility == Volatility::Immutable;
            return if steady { Known::Steady } else { Known::Unsteady };
        }
        let other =
            state.aggregate_functions().contains_key(name) || state.window_functions().contains_key(name);
        if other { Known::Steady } else { Known::Unknown }
    }

    /// Whether it combines several rows.
    pub(super) fn aggregates(&self, name: &str) -> bool {
        let state = self.session.state();
        state.aggregate_functions().contains_key(name) && !state.scalar_functions().contains_key(name)
    }

    /// Names of all functions.
    pub(super) fn function_names(&self) -> Vec<String> {
        let state = self.session.state();
        let mut names: Vec<String> = state.scalar_functions().keys().cloned().collect();
        names.extend(state.aggregate_functions().keys().cloned());
        names
    }
}

/// The planner's own words, on one line; nothing of them is data.
fn plain(e: &DataFusionError) -> String {
    e.strip_backtrace().lines().next().unwrap_or_default().to_owned()
}
