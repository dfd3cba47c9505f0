//! Cleaning: rules over the mapped tables, changes with a trail (RULES 1 to 3; docs/rules.md).
//!
//! Always: what is found is complete before anything is changed; rows keep their order, and no row goes: added ones have parts of their own, merged
//! ones stay and are told to the gate; every cell that differs from the version before, every added and every merged row has exactly one
//! change record; only rules of level A0 change anything by themselves.
//! Must not know: sources, cities, and what becomes of a row with findings.

mod add;
mod apply;
mod broken;
mod case;
mod check;
mod correct;
mod excluded;
mod external;
mod fault;
mod fields;
mod file;
mod header;
mod invariant;
mod judge;
mod kind;
mod lines;
mod list;
mod merge;
mod merged;
mod open;
mod reasons;
mod resolve;
mod rounds;
mod run;
mod scan;
mod shares;
mod sql;
mod tables;
mod total;
mod trail;
mod typed;

pub use add::BY_RULE;
pub use apply::{Replaced, change_schema};
pub use broken::{Broken, BrokenOf, broken};
pub use case::{Case, CaseContext, cases, try_case};
pub use correct::Correction;
pub use excluded::{ExcludedOf, excluded};
pub use external::{External, read as read_externals};
pub use fault::{RuleError, RuleFault, RuleFaults};
pub use file::{Bilingual, Model, Rule, RuleBook, RuleFiles, load};
pub use invariant::{Facts, Invariant, InvariantReport, ask, fact_rows};
pub use kind::{Department, Effect, FieldMerge, FindingState, Item, Outcome, Repair, Severity};
pub use lines::found_schema;
pub use list::{Holds, List, ListColumn, each_list_row, list_rows, lists};
pub use open::{OpenOf, open_findings};
pub use rounds::{
    LookedAt, RoundOf, Undone, finding_id, finding_key, ledger_schema, next_ledger, row_digest,
};
pub use run::{
    Approval, CleanFolders, CleanItem, DatasetPart, Ended, ItemReport, RuleReport, clean, proposal_id,
};
pub use shares::{EmptyOf, empty_values};
pub use tables::Models;
pub use total::{Total, TotalNumber, TotalSums, total_sums};
pub use trail::{Trail, TrailReport, write_trail};
pub use typed::fitting;
