//! Counting: measures (one dataset form for every side of every boundary), the canonical row and its content digest (FORMS 5, 7).
//!
//! Always: integers; a sum that does not fit is an error, never a wrapped number. Equal rows give equal measures and digests,
//! whatever their order, parts or partitions.
//! Must not know: which side is right, or why two sides differ.

mod arrival;
mod cells;
mod content;
mod count;
mod digest;
mod edge;
mod error;
mod keys;
mod layer1;
mod ledger;
mod measure;
mod plausible;
mod query;
mod raw;

pub use arrival::{Asked, Unarrived, unarrived};
pub use cells::MAX_CELLS;
pub use content::{
    Compared, Differing, NAMED, compare_rows, differing_schema, read_differing, write_differing,
};
pub use count::{Counted, count};
pub use digest::{BUCKETS, ContentDigest, bucket, content_digest, digest_schema};
pub use edge::{BranchEdges, CellOf, Component, EdgeShape, components, edge_measures, edge_name};
pub use error::MeasureError;
pub use keys::{KeysOf, bucket as key_bucket, keys};
pub use layer1::{ReadAmount, RowOrder, layer1_measures};
pub use ledger::{DETAILS, LEDGERS, ledger_measures};
pub use measure::{
    ALL, CONTENT, LARGEST_SUM, Measure, NONE, PLACED, boundary, last_digit, measures_schema, read_measures,
    side, unit_digits, write_measures,
};
pub use plausible::{PlausibleOf, Range, bucket as plausible_bucket, plausible};
pub use raw::{LEFT_OUT, RawSide, SPELLED_DIGITS, countable, raw_side};
