//! About how many rows a plan gives, rather too many than too few, so that a hash join never builds on its large side.
//!
//! DataFusion estimates by distinct values, and takes a table of which it does not know them for one whose every row is distinct: a
//! million payments joined with a hundred units are a hundred rows to it, and the next join holds the million in memory.
//! Must not know: what the tables are.

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::stats::Precision;
use datafusion::common::{JoinType, Result, Statistics};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec};
use datafusion::physical_plan::operator_statistics::{
    ExtendedStatistics, StatisticsProvider, StatisticsResult,
};

/// Rows of a group, when nothing is known of it: without a guess a list of months from ten million payments is as long as the payments.
const GROUP_ROWS: usize = 4;

/// Gives every operator above a scan its rows as if no filter took any and each join's key were unique on one side.
#[derive(Debug)]
pub(super) struct RowEstimates;

impl StatisticsProvider for RowEstimates {
    fn compute_statistics(
        &self,
        plan: &dyn ExecutionPlan,
        inputs: &[ExtendedStatistics],
    ) -> Result<StatisticsResult> {
        let rows: Vec<_> = inputs.iter().map(|i| i.base().num_rows).collect();
        let most = match rows.as_slice() {
            [] => return Ok(StatisticsResult::Delegate),
            [left, right] => of_two(plan, left, right),
            [all] if groups(plan) => {
                all.get_value().map_or(Precision::Absent, |n| Precision::Inexact(n / GROUP_ROWS))
            }
            many => many.iter().fold(Precision::Exact(0), |sum, one| sum.add(one)),
        };
        Ok(StatisticsResult::Computed(rows_only(plan.schema(), most)))
    }
}

/// Whether it gives one row for each group of rows.
fn groups(plan: &dyn ExecutionPlan) -> bool {
    plan.downcast_ref::<AggregateExec>().is_some_and(|a| *a.mode() != AggregateMode::Partial)
}

fn of_two(plan: &dyn ExecutionPlan, left: &Precision<usize>, right: &Precision<usize>) -> Precision<usize> {
    if plan.downcast_ref::<NestedLoopJoinExec>().is_some() || plan.downcast_ref::<CrossJoinExec>().is_some() {
        return left.multiply(right);
    }
    let hash = plan.downcast_ref::<HashJoinExec>().map(|j| *j.join_type());
    let merge = || plan.downcast_ref::<SortMergeJoinExec>().map(|j| j.join_type());
    match hash.or_else(merge) {
        Some(JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark) => *left,
        Some(JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark) => *right,
        Some(JoinType::Inner | JoinType::Left | JoinType::Right) => left.max(right),
        // A full join, a union.
        Some(JoinType::Full) | None => left.add(right),
    }
}

/// Without bytes joins are compared by rows.
fn rows_only(schema: SchemaRef, rows: Precision<usize>) -> ExtendedStatistics {
    let mut all = Statistics::new_unknown(&schema);
    all.num_rows = rows.to_inexact();
    ExtendedStatistics::new(all)
}
