//! The walks of a run: source → raw → mapped → gated → staged, reconciled and summed up; the only writer of state.db.
//!
//! Always: stage after stage, each a function from datasets to datasets; what a stage finished is in state.db and is not computed
//! again; a run that cannot account for every row and every fen ends as [`Status::Blocked`].
//! Must not know: how a stage does its work, or how anything is printed.

mod against;
mod approve;
mod arrival;
mod check_stage;
mod clean_stage;
mod compact;
mod content_stage;
mod documents;
mod encodings;
mod error;
mod events;
mod examples;
mod expected;
pub mod extract;
mod figures;
mod findings;
mod finish;
mod finished;
mod freeze;
mod gate_stage;
mod held;
mod idle_money;
mod invariant_stage;
mod listing;
mod lists;
mod manifest;
mod map_stage;
mod measure_stage;
mod parts;
mod paths;
pub mod plan;
mod preflight;
mod prune;
mod raw_stage;
mod rehearse;
mod round_stage;
mod rule_input;
mod runner;
mod score;
mod seal;
mod settings;
mod sizes;
mod standing;
mod total_stage;
mod trace;
mod unchecked;
mod undone;
mod vanished_money;
mod verify;
mod whole;
mod whose;
mod worklist;

pub use against::against;
pub use approve::{Approver, ProposedBatch, ProposedSum, approve, damaged_backup, proposals, undo};
pub use compact::{Compacted, compact};
pub use content_stage::differing_rows;
pub use documents::document_digests;
pub use error::RunError;
pub use events::record_events;
pub use findings::{FindingFilter, ListedFinding, each_finding};
pub use finished::{Finished, finished, reconcile_again, render_report, write_workbook};
pub use freeze::{Frozen, freeze, frozen};
pub use held::{Held, HeldExtract, held};
pub use listing::{ListedChange, each_change};
pub use lists::{ListOf, each_listed, lists, record_reveal};
pub use manifest::{Input, Made, Manifest, ManifestPart};
pub use paths::RunDir;
pub use preflight::{Ends, Problem};
pub use prune::{
    Item as PrunedItem, Keep, KeepSettings, Need, Pruning, What as PrunedKind, is_pruned, prune,
};
pub use raw_stage::{Inventory, extract_all, sources_of};
pub use rehearse::rehearse;
pub use round_stage::rounds;
pub use rule_input::{RuleInput, rule_input};
pub use score::{FoundRow, LegacyRow, RuleScore, score};
pub use seal::build_package;
pub use settings::{Acknowledgement, Expected, RuleSettings, RunSettings, StagingSettings, Standing};
pub use sizes::{Sizes, sizes};
pub use trace::{Origin, Trace, TracedMerge, TracedRow, TracedValue, trace};
pub use verify::{
    BadFile, FileFault, Verification, extracts_removed_by_hand, removed_by_hand, verify, verify_audit,
};
pub use whole::{as_of, extract_only, run};
pub use worklist::{
    ClearValues, DecidedRow, ExportOf, HandedOut, Import, ImportOf, Imported, ItemFilter, LegacyField,
    Mistake, OfficeOf, OfficeWork, SettledField, Signatory, WorklistError, WorklistRow, export_province,
    export_worklists, settled, undecided, work, worklist_rows,
};
