//! Whether everything is fit for cutover: criteria from the configuration, the evidence of each, who approved that evidence.
//!
//! Always: a criterion that could not be judged is not fulfilled; an approval is of evidence, and void once any of it changes; who began
//! the run does not approve it. The record of the last check is in state.db, at the run that it is about.
//! Must not know: how a run comes to its documents.

mod check;
mod record;
mod settings;

pub use check::{CheckInput, Readiness, approve, check};
pub use record::{Approval, ApprovalState};
pub use settings::CutoverSettings;
