//! The mapping of a city: raw legacy tables → typed layer-1 views → national tables (FORMS 2; docs/mapping.md has the file form).
//!
//! Always: layer 1 gives one row for one row; layer 2 is SQL over layer-1 views; a value that either cannot make sense of is NULL and a
//! read error (read error) of its row, never the end of the run; every row of a legacy table is used by a branch or left out for a reason from a closed list; the same inputs give the same bytes with any number
//! of partitions.
//! Must not know: databases, quality, gate.

mod branches;
mod check;
mod check_plan;
mod coverage;
mod csv;
mod error;
mod failure;
mod fault;
pub mod file;
mod guard;
mod layer1;
mod load;
mod national_codes;
mod parts;
mod pattern;
mod plan;
mod planner;
mod raw_columns;
mod read_errors;
mod refs;
mod sources;
mod sql;
mod text;
mod unique;

pub use coverage::{CodeColumn, coverage};
pub use error::MappingError;
pub use fault::{MappingErrors, MappingFault, Mistake};
pub use file::{
    AmountComponent, Branch, City, ColumnRef, Content, Generation, Group, Ignore, Join, LayerOne, LeftOut,
    Legacy, Mapped, MeasureSpec, Part, REASONS, Reading, Reason, Shape, SourceView, TableMapping, Viewed,
};
pub use guard::tried;
pub use layer1::{Layer1Out, Layer1Report, LegacyTable, Rounding, read_layer1};
pub use load::load;
pub use pattern::Pattern;
pub use plan::{BranchReport, MappedOut, TypedTables, translate};
pub use raw_columns::{check_columns, held_columns};
