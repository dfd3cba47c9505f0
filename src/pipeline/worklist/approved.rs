//! Fields to which people have given a value, by a batch of approved proposals or by a decision: what says otherwise contradicts it.
//!
//! Must not know: who approved or decided.

use std::collections::HashMap;

use super::super::RunError;
use super::import::ImportOf;
use super::items::{Line, each_line};
use crate::rules::{Effect, Outcome, RuleBook};
use crate::state::{Decision, DecisionKind, batch_name};

/// What somebody has said about a field.
#[derive(Debug, Clone)]
pub(in crate::pipeline) struct Said {
    /// The value that it was said about: of another it is stale, and binds nobody.
    pub(in crate::pipeline) about: Option<String>,
    /// The value that the field has after it.
    pub(in crate::pipeline) left: Option<String>,
    /// The name of its batch, or the cell where it stands.
    pub(in crate::pipeline) place: String,
}

impl Said {
    /// Whether it leaves another value in the same field.
    pub(in crate::pipeline) fn contradicts(&self, about: Option<&str>, left: Option<&str>) -> bool {
        self.about.as_deref() == about && self.left.as_deref() != left
    }
}

/// By field (table, key, source, legacy key, column).
pub(in crate::pipeline) type SaidOf = HashMap<[String; 5], Said>;

/// The field that a decision is about; of a rule about rows the row as a whole: `*`.
pub(in crate::pipeline) fn field_of(of: &Decision, book: &RuleBook) -> [String; 5] {
    let column = if book.is_of_rows(&of.rule, &of.table) { "*".to_owned() } else { of.column.clone() };
    [of.table.clone(), of.key.clone(), of.source.clone(), of.skey.clone().unwrap_or_default(), column]
}

/// The value that a decision leaves in its field; none: it leaves none, or is about a whole row.
pub(in crate::pipeline) fn left<'d>(of: &'d Decision, book: &RuleBook) -> Option<Option<&'d str>> {
    match of.kind {
        _ if of.column == "*" || book.is_of_rows(&of.rule, &of.table) => None,
        DecisionKind::Adopt | DecisionKind::Correct => Some(of.after.as_deref()),
        DecisionKind::Waive => Some(of.before.as_deref()),
        DecisionKind::Province => None,
    }
}

/// What the newest run has of approved proposals for fields.
pub(super) fn approved_fields(of: &ImportOf<'_>) -> Result<SaidOf, RunError> {
    let approved = of.state.approved()?;
    let mut fields = SaidOf::new();
    if approved.is_empty() {
        return Ok(fields);
    }
    let take = |line: Line| {
        if let Some(by) = approved.get(&line.proposal()) {
            let field = line.field();
            fields.insert(field, Said { about: line.before, left: line.after, place: batch_name(by.batch) });
        }
    };
    let outcomes = [Outcome::Proposed, Outcome::Repaired];
    each_line(&of.run.dir, of.book, &outcomes, |rule| rule.effect == Effect::Change, take)?;
    Ok(fields)
}
