//! The forms of what a run leaves behind: columns of read errors, findings, dispositions and lineage (FORMS 6), summary, reconciliation.
//!
//! Always: one schema each, built here and nowhere else. Values of people are masked before they come here, except the bytes of a
//! read error, which stay inside the work directory.
//! Must not know: how a finding is computed.

mod against;
mod coverage;
mod figures;
mod finding;
mod known;
mod readiness;
mod reconciliation;
mod rehearsal;
mod round;
mod summary;
mod total;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

pub use against::{Against, FindingChange, SumChange};
pub use coverage::{
    CodeCoverage, Coverage, LegacyColumnCoverage, LegacyDisposition, LegacyTableCoverage, NationalCoverage,
    NotMapped, Origin, Reach, Share, Unfed,
};
pub use figures::{FigureRow, YearRow};
pub use finding::{FindingSink, FoundRows, RowAt, RuleGate, shown, shown_unread};
pub use known::{KnownDifference, KnownEnd, KnownRow};
pub use readiness::{Criterion, DocumentLimits, Light, of_documents};
pub use reconciliation::{
    Boundary, Cell, Judged, Line, Plausible, Reconciliation, Totals, Unit, UnitOfMoney,
};
pub use rehearsal::{
    Forecast, Rehearsal, RehearsalKind, RehearsalProblem, RehearsalRow, RehearsalSeconds, RehearsedTable,
};
pub use round::{EmptyRow, Round, RoundRow};
pub use summary::{
    Acknowledged, Blocker, CleanRow, DispositionRow, ExtractRow, FindingExample, FindingRow, InvariantEnd,
    InvariantRow, LeftAlone, NotChecked, ReadErrorRow, ReasonRow, StageRow, StandingEnd, StandingRow, Status,
    Summary, Suspicion, TableRow, Unchecked,
};
pub use total::{REST, TotalColumn, TotalLine, TotalTable};

fn schema(columns: &[(&str, DataType, bool)]) -> SchemaRef {
    Arc::new(Schema::new(
        columns.iter().map(|(n, t, null)| Field::new(*n, t.clone(), *null)).collect::<Vec<_>>(),
    ))
}

/// A value of a legacy row that could not be decoded, parsed or translated: `source` (`ylbx.GRJBXX`), `skey`, `column` (layer-1
/// name), `code` (bytes, text, date, period, time, int, rate, money, code), `bytes` as they stand in raw. Of layer 2: `column` is
/// `TABLE.COLUMN` or `TABLE.where`, `code` the expression that refused the value, or `fit` where its national type does not hold it.
pub fn read_error_schema() -> SchemaRef {
    use DataType::{Binary, Utf8};
    schema(&[
        ("source", Utf8, false),
        ("skey", Utf8, false),
        ("column", Utf8, false),
        ("code", Utf8, false),
        ("bytes", Binary, false),
    ])
}

/// One row that breaks one rule: `rule`, national `table`, `_key`, `column`, `degree` (hard, soft, `*`), `gate` (block, mark,
/// count), `level` (B, E, W, I), masked `value`, `_source`, `_skey` (NULL for a `group` row: see its lineage).
pub fn finding_schema() -> SchemaRef {
    use DataType::Utf8;
    schema(&[
        ("rule", Utf8, false),
        ("table", Utf8, false),
        ("_key", Utf8, true),
        ("column", Utf8, false),
        ("degree", Utf8, false),
        ("gate", Utf8, false),
        ("level", Utf8, false),
        ("value", Utf8, true),
        ("_source", Utf8, false),
        ("_skey", Utf8, true),
    ])
}

/// The disposition of a row that was not accepted: `_key`, `_source`, `_skey`, `disposition` (excluded, merged, rejected, held), `reason` (rules,
/// `out_of_scope`, or the parent's table), `parent` (the `_key` of the parent, or of the survivor; else NULL).
pub fn disposition_schema() -> SchemaRef {
    use DataType::Utf8;
    schema(&[
        ("_key", Utf8, true),
        ("_source", Utf8, false),
        ("_skey", Utf8, true),
        ("disposition", Utf8, false),
        ("reason", Utf8, false),
        ("parent", Utf8, true),
    ])
}

/// A row that a rule excluded, and which: `_key`, `_source`, `_skey`, `reason`.
pub fn excluded_schema() -> SchemaRef {
    use DataType::Utf8;
    schema(&[("_key", Utf8, false), ("_source", Utf8, false), ("_skey", Utf8, true), ("reason", Utf8, false)])
}

/// A row that a rule merged into another: `_key`, `_source`, `_skey` of the donor, the `survivor`'s `_key`, and by what: `rule`, `item`, `level`,
/// `batch`, `approver`, `evidence`. With it a merge can be undone: no donor row is dropped.
pub fn merged_schema() -> SchemaRef {
    use DataType::Utf8;
    schema(&[
        ("_key", Utf8, false),
        ("_source", Utf8, false),
        ("_skey", Utf8, true),
        ("survivor", Utf8, false),
        ("rule", Utf8, false),
        ("item", Utf8, false),
        ("level", Utf8, false),
        ("batch", Utf8, true),
        ("approver", Utf8, true),
        ("evidence", Utf8, true),
    ])
}

/// Which legacy rows a `group` row came from: `_key`, `_source`, `_skey`, one line per legacy row.
pub fn lineage_schema() -> SchemaRef {
    use DataType::Utf8;
    schema(&[("_key", Utf8, true), ("_source", Utf8, false), ("_skey", Utf8, false)])
}
