//! Fields to which a batch of approved proposals gives a value: a decision that says otherwise contradicts it.
//!
//! Must not know: who approved.

use std::collections::HashMap;

use super::super::RunError;
use super::import::ImportOf;
use super::items::{Line, each_line};
use crate::rules::{Effect, Outcome, proposal_id};
use crate::state::{Decision, DecisionKind, batch_name};

/// By field (table, key, source, legacy key, column): the value that it was proposed for, the one that it gets, and the name of the batch.
pub(super) type ApprovedFields = HashMap<[String; 5], (Option<String>, Option<String>, String)>;

/// The value that a decision leaves in its field; none: it leaves none, or is about a whole row.
pub(in crate::pipeline) fn left(of: &Decision) -> Option<Option<&str>> {
    match of.kind {
        _ if of.column == "*" => None,
        DecisionKind::Adopt | DecisionKind::Correct => Some(of.after.as_deref()),
        DecisionKind::Waive => Some(of.before.as_deref()),
        DecisionKind::Province => None,
    }
}

/// What the newest run has of approved proposals for fields.
pub(super) fn approved_fields(of: &ImportOf<'_>) -> Result<ApprovedFields, RunError> {
    let approved = of.state.approved()?;
    let mut fields = ApprovedFields::new();
    if approved.is_empty() {
        return Ok(fields);
    }
    let take = |line: Line| {
        let (before, after) = (line.before.as_deref(), line.after.as_deref());
        let id = proposal_id(&line.rule, &line.table, &line.key, &line.column, before, after);
        if let Some(by) = approved.get(&id) {
            let (field, name) = (line.field(), batch_name(by.batch));
            fields.insert(field, (line.before, line.after, name));
        }
    };
    let outcomes = [Outcome::Proposed, Outcome::Repaired];
    each_line(&of.run.dir, of.book, &outcomes, |rule| rule.effect == Effect::Change, take)?;
    Ok(fields)
}
