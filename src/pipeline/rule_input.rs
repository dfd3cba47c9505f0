//! What cleaning stands on, loaded before anything is read from a source: rules, outside data, approvals, decisions.

use std::collections::BTreeMap;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use sha2::{Digest, Sha256};

use super::RunError;
use super::settings::RuleSettings;
use super::worklist::in_force;
use crate::durable::hex;
use crate::mapping::City;
use crate::national::National;
use crate::rules::{self, Approval, Correction, RuleBook, RuleError, RuleFiles, proposal_id};
use crate::state::{Decision, DecisionKind, State, batch_name};

/// Rules with everything that they are given.
pub struct RuleInput {
    pub book: RuleBook,
    /// By `ext_<name>`.
    pub externals: BTreeMap<String, RecordBatch>,
    /// By the identity of a proposal.
    pub(super) approved: BTreeMap<u128, Approval>,
    /// What people decided about fields.
    pub(super) corrections: Vec<Correction>,
    /// Items of worklists that were found to be so, and the last day (yyyy-mm-dd) on which that holds.
    pub(super) waivers: BTreeMap<u64, String>,
    /// SHA-256 over all of it.
    pub digest: String,
    /// The same without approvals.
    pub(super) rules_digest: String,
}

/// Loads the rules of a city; `None` where none are configured.
///
/// # Errors
/// `RUL-000` with every mistake, `RUL-104`.
pub fn rule_input(
    settings: Option<&RuleSettings>,
    national: &National,
    city: &City,
) -> Result<Option<RuleInput>, RunError> {
    let Some(settings) = settings else { return Ok(None) };
    let files =
        RuleFiles { sql: &settings.folder, national: &settings.national, params: &settings.parameters };
    // Their day changes no mistake.
    let functions = city.functions(chrono::NaiveDate::default());
    let book = rules::load(&files, national, &functions).map_err(RuleError::from)?;
    let externals = rules::read_externals(&book, &settings.references)?;
    let mut sha = Sha256::new();
    sha.update(&book.digest);
    for (name, batch) in &externals {
        add_rows(&mut sha, name, batch)?;
    }
    let digest = hex(&sha.finalize());
    Ok(Some(RuleInput {
        book,
        externals,
        approved: BTreeMap::new(),
        corrections: Vec::new(),
        waivers: BTreeMap::new(),
        rules_digest: digest.clone(),
        digest,
    }))
}

/// Every value of outside data; NULL is another value than the empty text.
fn add_rows(sha: &mut Sha256, name: &str, batch: &RecordBatch) -> Result<(), RuleError> {
    // Records name the file.
    let file: BTreeMap<_, _> = batch.schema().metadata().clone().into_iter().collect();
    sha.update(format!("{name} {} {file:?}\n", batch.num_rows()));
    for column in batch.columns() {
        let texts = cast(column, &DataType::Utf8).map_err(|e| RuleError::External {
            name: name.to_owned(),
            path: String::new(),
            what: e.to_string(),
        })?;
        for value in texts.as_string::<i32>() {
            sha.update([u8::from(value.is_some())]);
            let text = value.unwrap_or_default();
            sha.update((text.len() as u64).to_le_bytes());
            sha.update(text);
        }
    }
    Ok(())
}

impl RuleInput {
    /// With what is approved and decided in a work directory.
    pub(super) fn with_approvals(mut self, state: &State) -> Result<Self, RunError> {
        let mut sha = Sha256::new();
        sha.update(&self.digest);
        for (proposal, approved) in state.approved()? {
            sha.update(format!("{proposal:032x} {}\n", approved.batch));
            let approval = Approval {
                batch: batch_name(approved.batch),
                approver: approved.approver,
                ..Approval::default()
            };
            self.approved.insert(proposal, approval);
        }
        for (batch, decision) in in_force(state.decisions()?, &self.book).in_force {
            sha.update(format!("{batch} {:016x} {}\n", decision.item, decision.kind.text()));
            self.take(batch, decision);
        }
        self.digest = hex(&sha.finalize());
        Ok(self)
    }

    /// A decision about a field is a correction; one about a row is as the approval of what its rule proposes.
    fn take(&mut self, batch: i64, of: Decision) {
        let whole = self.book.is_of_rows(&of.rule, &of.table);
        match of.kind {
            DecisionKind::Adopt if whole => {
                let (before, after) = (of.before.as_deref(), of.after.as_deref());
                let id = proposal_id(&of.rule, &of.table, &of.key, &of.column, before, after);
                self.approved.entry(id).or_insert_with(|| signed(batch, &of));
            }
            DecisionKind::Adopt | DecisionKind::Correct => self.corrections.extend(correction(batch, &of)),
            DecisionKind::Waive => {
                self.waivers.insert(of.item, of.expires.unwrap_or_default());
            }
            DecisionKind::Province => {}
        }
    }
}

/// Who signed a decision.
fn signed(batch: i64, of: &Decision) -> Approval {
    Approval {
        batch: batch_name(batch),
        approver: of.approver.name.clone(),
        handler: Some(of.handler.name.clone()),
        reviewer: Some(of.reviewer.name.clone()),
        evidence: of.evidence.clone(),
    }
}

/// What a decision of a batch makes of a field; none where it gives no value.
pub(super) fn correction(batch: i64, of: &Decision) -> Option<Correction> {
    Some(Correction {
        rule: of.rule.clone(),
        table: of.table.clone(),
        key: of.key.clone(),
        source: of.source.clone(),
        skey: of.skey.clone(),
        column: of.column.clone(),
        before: of.before.clone(),
        after: of.after.clone()?,
        by: signed(batch, of),
    })
}
