//! The mapping of a city: raw legacy tables → typed layer-1 views → national tables (FORMS 2; docs/mapping.md has the file form).
//!
//! Always: layer 1 gives one row for one row and is the only place where notes arise; layer 2 is SQL over layer-1 views; every row of a
//! legacy table is used by a branch or left out for a reason from a closed list; the same inputs give the same bytes with any number
//! of partitions.
//! Must not know: databases, quality, gate.

mod branches;
mod check;
mod coverage;
mod error;
mod failure;
mod fault;
pub mod file;
mod layer1;
mod load;
mod parts;
mod pattern;
mod plan;
mod planner;
mod refs;
mod sources;
mod sql;
mod text;
mod unique;

pub use coverage::{CodeColumn, coverage, held_columns};
pub use error::MappingError;
pub use fault::{MappingErrors, MappingFault, Mistake};
pub use file::{
    AmountComponent, Branch, City, ColumnRef, Content, Generation, Group, Ignore, Join, LayerOne, LeftOut,
    Legacy, Mapped, MeasureSpec, Part, REASONS, Reading, Reason, Shape, SourceView, TableMapping, Viewed,
};
pub use layer1::{Layer1Out, Layer1Report, LegacyTable, Rounding, check_columns, read_layer1};
pub use load::load;
pub use pattern::Pattern;
pub use plan::{BranchReport, MappedOut, TypedTables, translate};
