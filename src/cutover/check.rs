//! Every criterion of cutover over the newest finished run, with the digest of its evidence.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::record::{self, Approval, ApprovalState, Record};
use super::settings::CutoverSettings;
use crate::artifacts::{Criterion, DocumentLimits, KnownEnd, Light, of_documents};
use crate::audit::{self, Kind, NewEvent};
use crate::clock;
use crate::durable::hex;
use crate::pipeline::{Finished, Frozen, RunError, damaged_backup, document_digests, finished, frozen};
use crate::state::{Run, State};

const HOUR: i64 = 3600;

/// What a check stands on beside the work directory.
pub struct CheckInput<'a> {
    pub workdir: &'a Path,
    pub settings: &'a CutoverSettings,
    /// Digests of today's configuration, national schema, mapping and rules.
    pub digests: [String; 4],
}

/// What a check came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Readiness {
    pub version: u32,
    pub run: String,
    pub checked: String,
    /// Every criterion is fulfilled.
    pub ready: bool,
    /// SHA-256 over the evidence of every criterion but the approvals: what is approved.
    pub evidence: String,
    /// Criteria whose evidence changed since everything was fulfilled the last time; empty: none, or it never was.
    pub stale: Vec<String>,
    pub criteria: Vec<Criterion>,
    pub approvals: Vec<ApprovalState>,
    pub frozen: Option<Frozen>,
}

/// A run that is looked at, and everything around it.
struct Looked<'a> {
    of: &'a CheckInput<'a>,
    state: State,
    runs: Vec<Run>,
    run: Finished,
    frozen: Option<Frozen>,
    now: DateTime<Utc>,
}

/// Judges every criterion; once all are fulfilled their evidence is recorded, so that a later check says what changed since.
///
/// # Errors
/// `RUN-003` where no run has ended, `RUN-030` where its documents were changed; `STA-…`.
pub fn check(of: &CheckInput<'_>) -> Result<Readiness, RunError> {
    let looked = look(of)?;
    let (readiness, mut record) = judge(&looked)?;
    let evidence = by_criterion(&readiness.criteria);
    if readiness.ready && record.evidence != evidence {
        record.evidence = evidence;
        record::write(&looked.state, looked.run.id, &record)?;
    }
    Ok(readiness)
}

/// Approves the evidence of today; false where something else than approvals is not fulfilled, or who approves began the run.
///
/// # Errors
/// As [`check`].
pub fn approve(
    of: &CheckInput<'_>,
    [name, account, reason]: [&str; 3],
) -> Result<(Readiness, bool), RunError> {
    let looked = look(of)?;
    let (readiness, mut record) = judge(&looked)?;
    let fulfilled = readiness.criteria.iter().all(|c| c.id == "approvals" || green(c));
    let named = of.settings.approvers.iter().any(|a| a == account);
    let own = looked.runs.iter().find(|r| r.id == looked.run.id).and_then(|r| r.operator.as_deref());
    if !fulfilled || !named || own == Some(account) {
        return Ok((readiness, false));
    }
    record.approvals.retain(|a| a.account != account || a.evidence != readiness.evidence);
    record.approvals.push(Approval {
        name: name.to_owned(),
        account: account.to_owned(),
        at: clock::now(),
        reason: reason.to_owned(),
        evidence: readiness.evidence.clone(),
    });
    record::write(&looked.state, looked.run.id, &record)?;
    let approved = NewEvent::of(Kind::Readiness, &readiness.run)
        .fact("approver", name)
        .fact("account", account)
        .fact("reason", reason)
        .fact("evidence", readiness.evidence.clone());
    audit::append(&looked.state, &[approved])?;
    let (readiness, mut record) = judge(&looked)?;
    if readiness.ready {
        record.evidence = by_criterion(&readiness.criteria);
        record::write(&looked.state, looked.run.id, &record)?;
    }
    Ok((readiness, true))
}

fn look<'a>(of: &'a CheckInput<'a>) -> Result<Looked<'a>, RunError> {
    let run = finished(of.workdir, None)?;
    let state = State::open(of.workdir, "cutover")?;
    let (runs, frozen) = (state.runs()?, frozen(&state)?);
    Ok(Looked { of, state, runs, run, frozen, now: clock::instant() })
}

fn green(of: &Criterion) -> bool {
    of.light == Light::Green
}

fn by_criterion(of: &[Criterion]) -> BTreeMap<String, String> {
    let all = of.iter().filter(|c| c.id != "approvals");
    all.map(|c| (c.id.clone(), c.evidence.clone())).collect()
}

fn sha(of: &str) -> String {
    hex(&Sha256::digest(of.as_bytes()))
}

fn judge(looked: &Looked<'_>) -> Result<(Readiness, Record), RunError> {
    let settings = looked.of.settings;
    let documents = document_digests(&looked.state, looked.run.id)?;
    let limits = DocumentLimits {
        blocking: settings.blocking.clone(),
        undecided_max: settings.undecided_max,
        unmapped_rows_max: settings.unmapped_rows_max,
        not_checked_max: settings.not_checked_max,
    };
    let run = &looked.run;
    let mut criteria =
        of_documents(&run.summary, &run.reconciliation, &run.coverage, run.rehearsal.as_ref(), &limits);
    for criterion in &mut criteria {
        let name = match criterion.id.as_str() {
            "unexplained" => "reconciliation.json",
            "coverage" => "coverage.json",
            "rehearsed" => "rehearsal.json",
            _ => "summary.json",
        };
        let digest = documents.get(name).map_or("", String::as_str);
        if criterion.id == "unexplained" {
            lapsed(looked, criterion);
        }
        criterion.evidence = sha(&format!("{name} {digest} {} {}", criterion.wanted, criterion.light.name()));
    }
    criteria.push(fresh(looked)?);
    criteria.push(raw(looked)?);
    criteria.push(lag(looked)?);
    criteria.push(window(looked, documents.get("rehearsal.json")));
    criteria.push(chain(looked)?);
    let evidence = sha(&criteria.iter().map(|c| format!("{} {}\n", c.id, c.evidence)).collect::<String>());
    let newest = record::newest(&looked.state, &looked.runs)?;
    let recorded = newest.as_ref().map(|(_, r)| r.evidence.clone()).unwrap_or_default();
    let today = by_criterion(&criteria);
    let stale = recorded.iter().filter(|(id, was)| today.get(*id) != Some(was)).map(|(id, _)| id.clone());
    let stale: Vec<String> = stale.collect();
    // Approvals are of one run; what was ready before is compared whatever run it was.
    let record = match newest {
        Some((of, record)) if of == run.id => record,
        Some((_, earlier)) => Record { evidence: earlier.evidence, approvals: Vec::new() },
        None => Record::default(),
    };
    let (approved, approvals) = approvals(looked, &record, &evidence);
    criteria.push(approved);
    let readiness = Readiness {
        version: 1,
        run: run.summary.run.clone(),
        checked: clock::text(looked.now),
        ready: criteria.iter().all(green),
        evidence,
        stale,
        criteria,
        approvals,
        frozen: looked.frozen.clone(),
    };
    Ok((readiness, record))
}

fn with_evidence(criterion: Criterion, of: &str) -> Criterion {
    Criterion { evidence: sha(of), ..criterion }
}

/// What a known difference explained in the run is unexplained once its last day is past.
fn lapsed(looked: &Looked<'_>, criterion: &mut Criterion) {
    let zone = DateTime::parse_from_rfc3339(&looked.run.summary.finished).map(|at| *at.offset());
    let today = match zone {
        Ok(zone) => looked.now.with_timezone(&zone).date_naive(),
        Err(_) => looked.now.date_naive(),
    };
    let today = today.to_string();
    let known = looked.run.reconciliation.known.iter().filter(|k| k.ended == KnownEnd::Explains);
    for k in known.map(|k| &k.difference).filter(|k| k.until < today) {
        criterion.light = Light::Red;
        criterion.found.push_str(&format!("; {} {} {} ({})", k.boundary, k.table, k.measure, k.until));
    }
}

/// Hours since a moment; `None`: it is none.
fn hours(looked: &Looked<'_>, since: &str) -> Option<i64> {
    clock::moment(since).map(|then| (looked.now - then).num_seconds().max(0) / HOUR)
}

/// The run stands on the newest extracts and on what is configured today, and is not too old.
fn fresh(looked: &Looked<'_>) -> Result<Criterion, RunError> {
    let summary = &looked.run.summary;
    let stood =
        [&summary.config_digest, &summary.national_digest, &summary.mapping_digest, &summary.rules_digest];
    let names = ["config", "national", "mapping", "rules"];
    let mut found: Vec<String> = names
        .iter()
        .zip(stood.into_iter().zip(&looked.of.digests))
        .filter(|(_, (then, now))| *then != *now)
        .map(|(name, _)| format!("{name} ≠"))
        .collect();
    let newest = newest_extracts(looked)?;
    let under: BTreeSet<&str> = summary.extracts.iter().map(|e| e.extract.as_str()).collect();
    found.extend(
        newest
            .iter()
            .filter(|(_, e, _)| !under.contains(e.as_str()))
            .map(|(_, e, _)| format!("{e} ∉ {}", summary.run)),
    );
    let age = hours(looked, &summary.finished);
    let fits = age.is_some_and(|h| h <= i64::from(looked.of.settings.age_days) * 24);
    let same = found.is_empty();
    found.insert(0, format!("{} {} d", summary.run, age.unwrap_or(0) / 24));
    let wanted = format!("≤ {} d", looked.of.settings.age_days);
    let evidence = format!("fresh {} {:?} {newest:?} {wanted}", summary.run, looked.of.digests);
    Ok(with_evidence(Criterion::judged("fresh", same && fits, found.join("; "), wanted), &evidence))
}

/// Every part of raw that the run stands on is what was recorded.
fn raw(looked: &Looked<'_>) -> Result<Criterion, RunError> {
    let damaged = damaged_backup(&looked.state, looked.run.id)?;
    let extracts =
        looked.run.summary.extracts.iter().map(|e| e.extract.clone()).collect::<Vec<_>>().join(" ");
    let evidence = format!("raw {extracts} {damaged:?}");
    let name =
        damaged.as_deref().map(|p| p.strip_prefix(&looked.of.workdir.display().to_string()).unwrap_or(p));
    let found = name.map_or(extracts, |name| format!("≠ {}", name.trim_start_matches('/')));
    Ok(with_evidence(Criterion::judged("raw", damaged.is_none(), found, "= SHA-256".to_owned()), &evidence))
}

/// The audit log is one chain.
fn chain(looked: &Looked<'_>) -> Result<Criterion, RunError> {
    let log = audit::read(looked.of.workdir)?;
    let bad = log.verified(None);
    let found =
        bad.as_ref().map_or_else(|| "SM3".to_owned(), |bad| format!("{} {}", bad.line, bad.fault.text()));
    // Its head goes on with every event, and so is no evidence of what is to be approved.
    let evidence = format!("audit {found}");
    Ok(with_evidence(Criterion::judged("audit", bad.is_none(), found, "= SM3".to_owned()), &evidence))
}

/// Source, extract, and when it began.
fn newest_extracts(looked: &Looked<'_>) -> Result<Vec<(String, String, String)>, RunError> {
    let mut all = Vec::new();
    for source in looked.state.sources()? {
        if let Some(extract) = looked.state.latest_extract(&source)? {
            all.push((source, extract.id.to_string(), extract.started));
        }
    }
    Ok(all)
}

/// How old the newest extract of the source that lags most is.
fn lag(looked: &Looked<'_>) -> Result<Criterion, RunError> {
    let newest = newest_extracts(looked)?;
    let limit = looked.of.settings.lag_hours;
    let oldest = newest
        .iter()
        .map(|(source, extract, started)| (hours(looked, started).unwrap_or(i64::MAX), source, extract));
    let oldest = oldest.max();
    let mut found =
        oldest.map(|(h, source, extract)| format!("{source} {extract} {h} h")).unwrap_or_default();
    let mut fits = oldest.is_some_and(|(h, _, _)| h <= i64::from(limit));
    if let Some(frozen) = &looked.frozen {
        fits = newest.iter().all(|(_, extract, _)| frozen.extracts.contains(extract));
        found = format!("{} {}", frozen.extracts.join(" "), frozen.at);
    }
    let evidence = format!("lag {newest:?} {:?} {limit}", looked.frozen);
    Ok(with_evidence(Criterion::judged("lag", fits, found, format!("≤ {limit} h")), &evidence))
}

/// Run and rehearsed load together fit into the window.
fn window(looked: &Looked<'_>, rehearsal: Option<&String>) -> Criterion {
    let run = &looked.run;
    let stages: f64 = run.summary.stages.iter().map(|s| s.seconds).sum();
    let loaded = run.rehearsal.as_ref().filter(|r| r.server.is_some());
    let load = loaded.map(|r| r.seconds.whole());
    let limit = looked.of.settings.window_hours;
    let seconds =
        std::time::Duration::try_from_secs_f64(stages).map_or(u64::MAX, |d| d.as_secs().saturating_add(1));
    let evidence = format!("window {rehearsal:?} {} {limit:?}", run.summary.run);
    let found = match load {
        Some(load) => format!("{seconds} s + {load} s"),
        None => format!("{seconds} s + ?"),
    };
    let wanted = limit.map_or("?".to_owned(), |h| format!("≤ {h} h"));
    let criterion = match (limit, load) {
        (Some(limit), Some(load)) => {
            let fits = seconds.saturating_add(load) <= u64::from(limit) * HOUR.unsigned_abs();
            Criterion::judged("window", fits, found, wanted)
        }
        (None, _) | (_, None) => Criterion::open("window", found, wanted),
    };
    with_evidence(criterion, &evidence)
}

/// So many of the approvers approved this evidence.
fn approvals(looked: &Looked<'_>, record: &Record, evidence: &str) -> (Criterion, Vec<ApprovalState>) {
    let settings = looked.of.settings;
    let holds = |a: &Approval| a.evidence == evidence && settings.approvers.contains(&a.account);
    let who: BTreeSet<&str> =
        record.approvals.iter().filter(|a| holds(a)).map(|a| a.account.as_str()).collect();
    let all = record.approvals.iter().map(|a| ApprovalState { of: a.clone(), holds: holds(a) }).collect();
    let (some, wanted) = (who.len(), settings.approvals as usize);
    let found = format!("{some} / {}", settings.approvers.len());
    let criterion = Criterion::judged("approvals", some >= wanted, found, format!("≥ {wanted}"));
    (with_evidence(criterion, &format!("{who:?}")), all)
}
