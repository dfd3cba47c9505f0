//! Cleaning: rules over the mapped tables, changes with a trail (RULES 1 to 3; docs/rules.md).
//!
//! Always: what is found is complete before anything is changed; rows keep their number and order; every cell that differs from the
//! version before has exactly one change record; only rules of level A0 change anything by themselves.
//! Must not know: sources, cities, and what becomes of a row with findings.

mod apply;
mod case;
mod check;
mod excluded;
mod external;
mod fault;
mod file;
mod header;
mod judge;
mod kind;
mod lines;
mod open;
mod rounds;
mod run;
mod shares;
mod sql;
mod tables;
mod typed;

pub use apply::{Replaced, change_schema};
pub use case::{Case, CaseContext, cases, try_case};
pub use excluded::{ExcludedOf, excluded};
pub use external::read as read_externals;
pub use fault::{RuleError, RuleFault, RuleFaults};
pub use file::{Bilingual, External, Model, Rule, RuleBook, RuleFiles, load};
pub use kind::{Department, Effect, FindingState, Item, Outcome, Repair, Severity};
pub use lines::found_schema;
pub use open::{OpenOf, open_findings};
pub use rounds::{LookedAt, RoundOf, finding_key, ledger_schema, next_ledger};
pub use run::{Approval, CleanItem, Ended, ItemReport, RuleReport, clean, proposal_id};
pub use shares::{EmptyOf, empty_values};
