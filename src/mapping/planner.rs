//! Plans mapping SQL against empty typed tables, to know its types before any row is read.
//!
//! Always: the settings and functions are those of the run. Nothing is executed.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::datasource::empty::EmptyTable;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, Volatility};
use datafusion::prelude::SessionContext;

use crate::engine::{EngineError, Joins, refuse_floats, session_config};
use crate::functions::{Codes, FunctionRegistry, Notice, noting};

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
    /// Text that would be read as another type by a comparison.
    Cast(String, DataType),
}

impl Planner {
    /// Knows all functions, no tables.
    pub(super) fn new(functions: &FunctionRegistry, codes: &Arc<Codes>) -> Result<Self, std::io::Error> {
        let session = SessionContext::new_with_config(session_config(1, Joins::Large));
        functions.register(&session);
        for function in noting(codes.clone(), Notice::nobody()) {
            session.register_udf(function);
        }
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
        typed(&self.analyzed(sql).map_err(|e| Refusal::Sql(plain(&e)))?)
    }

    /// The types of a query whose written casts report, which is [`check_types`](Self::check_types) as well: one plan for both.
    pub(super) fn checked_types(&self, sql: &str) -> Result<Vec<(String, DataType)>, Refusal> {
        let plan = self.analyzed(sql).map_err(|e| Refusal::Sql(plain(&e)))?;
        match silent_cast(&plan) {
            Some((from, to)) => Err(Refusal::Cast(from, to)),
            None => typed(&plan),
        }
    }

    /// Whether a query whose written casts report (guard.rs) plans, and casts nothing else that a row may hold.
    pub(super) fn check_types(&self, sql: &str) -> Result<(), Refusal> {
        let plan = self.analyzed(sql).map_err(|e| Refusal::Sql(plain(&e)))?;
        match silent_cast(&plan) {
            Some((from, to)) => Err(Refusal::Cast(from, to)),
            None => Ok(()),
        }
    }

    /// Whether a function exists and is steady.
    pub(super) fn function(&self, name: &str) -> Known {
        let state = self.session.state();
        if let Some(f) = state.scalar_functions().get(name).filter(|_| !name.starts_with('_')) {
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
        names.retain(|name| !name.starts_with('_'));
        names.sort();
        names
    }
}

fn typed(plan: &LogicalPlan) -> Result<Vec<(String, DataType)>, Refusal> {
    refuse_floats("the mapping", plan).map_err(|e| match e {
        EngineError::Float { expression, .. } => Refusal::Float(expression),
        other => Refusal::Sql(other.to_string()),
    })?;
    Ok(plan.schema().fields().iter().map(|f| (f.name().clone(), f.data_type().clone())).collect())
}

/// A cast that nobody wrote, of text that a row may hold into something else: what the text is, and the type. It would end the run at the
/// first row that does not fit. Written casts stand as TRY_CAST here (guard.rs).
fn silent_cast(plan: &LogicalPlan) -> Option<(String, DataType)> {
    let mut found = None;
    let seen = plan.apply_with_subqueries(|node| {
        let mut schema = DFSchema::empty();
        for input in node.inputs() {
            schema.merge(input.schema());
        }
        node.apply_expressions(|expression| {
            expression.apply(|e| {
                if let Expr::Cast(cast) = e {
                    let to = cast.field.data_type();
                    let text = cast.expr.get_type(&schema).is_ok_and(|t| t == DataType::Utf8);
                    let plain = matches!(to, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
                    if text && !plain && !matches!(*cast.expr, Expr::Literal(_, _)) {
                        found = Some((cast.expr.to_string(), to.clone()));
                        return Ok(TreeNodeRecursion::Stop);
                    }
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    });
    seen.ok().and(found)
}

/// The planner's own words, on one line; nothing of them is data.
fn plain(e: &DataFusionError) -> String {
    e.strip_backtrace().lines().next().unwrap_or_default().to_owned()
}
