//! What a package says in one place against what it says in another: tables, manifest, reconciliation, tags.
//!
//! Always: a digest that was written anew with the file that it covers does not hide a change of what other files say.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::bag;
use super::dictionary::{CODES, DICTIONARY};
use super::verify::{Check, TABLES};
use super::{Contents, PackedPart};
use crate::artifacts::Reconciliation;
use crate::phrase;

const MANIFEST: &str = "data/manifest.json";
const RECONCILIATION: &str = "data/reconciliation.json";

/// Compares the documents of a bag with each other and with its payload manifest (path → SHA-256).
pub(super) fn documents(check: &mut Check<'_>, contents: &Contents, payload: &BTreeMap<String, String>) {
    parts(check, contents, payload);
    tags(check, contents);
    reconciliation(check, contents);
    manifest(check, contents);
}

/// Every part of `tables.json` is in the payload as it says, and the payload holds no other.
fn parts(check: &mut Check<'_>, contents: &Contents, payload: &BTreeMap<String, String>) {
    let mut named = BTreeSet::new();
    for table in &contents.tables {
        let rows: u64 = table.parts.iter().map(|p| p.rows).sum();
        if rows != table.rows {
            check.found(TABLES, phrase!("package.sum", said = table.rows, table = table.table, rows));
        }
    }
    let packed = contents.tables.iter().flat_map(|t| &t.parts);
    for part in packed.chain(&contents.key_maps) {
        if !named.insert(part.file.as_str()) {
            check.found(TABLES, phrase!("package.named_twice", file = part.file));
        }
        if payload.get(&part.file) != Some(&part.sha256) {
            check.found(&part.file, phrase!("package.another"));
        }
        let size = std::fs::metadata(check.bag.join(&part.file)).map(|m| m.len());
        if size.is_ok_and(|size| size != part.bytes) {
            check.found(&part.file, phrase!("package.bytes", bytes = part.bytes));
        }
    }
    let documents = [TABLES, MANIFEST, RECONCILIATION, DICTIONARY, CODES];
    for file in payload.keys().filter(|f| !named.contains(f.as_str()) && !documents.contains(&f.as_str())) {
        check.found(file, phrase!("package.unnamed"));
    }
}

fn tags(check: &mut Check<'_>, contents: &Contents) {
    const INFO: &str = "bag-info.txt";
    let info = check.text(INFO);
    let blocked = if contents.blocked { "yes" } else { "no" };
    for (label, expected) in [
        ("External-Identifier", contents.package.as_str()),
        ("Internal-Sender-Identifier", contents.run.as_str()),
        ("Qianyi-Blocked", blocked),
    ] {
        if bag::field(&info, label) != Some(expected) {
            check.found(INFO, phrase!("package.label", label, expected));
        }
    }
}

fn reconciliation(check: &mut Check<'_>, contents: &Contents) {
    let found: Reconciliation = match serde_json::from_str(&check.text(RECONCILIATION)) {
        Ok(found) => found,
        Err(e) => {
            return check.found(RECONCILIATION, phrase!("package.form", e));
        }
    };
    if found.run != contents.run {
        check.found(RECONCILIATION, phrase!("package.other_run", found = found.run, run = contents.run));
    }
    let totals = found.totals;
    let unexplained = totals.unexplained_rows > 0 || totals.unexplained_fen > 0;
    if unexplained && !contents.blocked {
        check.found(TABLES, phrase!("package.unexplained"));
    }
}

/// The staged parts that the run recorded are those of the package.
fn manifest(check: &mut Check<'_>, contents: &Contents) {
    let found: Value = match serde_json::from_str(&check.text(MANIFEST)) {
        Ok(found) => found,
        Err(e) => return check.found(MANIFEST, phrase!("package.form", e)),
    };
    if found["run"].as_str() != Some(&contents.run) {
        check.found(MANIFEST, phrase!("package.not_of_run", run = contents.run));
    }
    let (mut staged, mut maps) = (BTreeSet::new(), BTreeSet::new());
    for output in found["outputs"].as_array().into_iter().flatten() {
        let table = output["table"].as_str().unwrap_or_default();
        let is_staged = output["stage"] == "gate";
        for part in output["parts"].as_array().into_iter().flatten() {
            let file = part["file"].as_str().unwrap_or_default();
            let rows = part["rows"].as_u64().unwrap_or_default();
            let sha256 = part["sha256"].as_str().unwrap_or_default().to_owned();
            if let Some((_, name)) = file.split_once(&format!("/staged/{table}/")).filter(|_| is_staged) {
                staged.insert((format!("data/tables/{table}/{name}"), rows, sha256));
            } else if let Some((_, name)) = file.split_once("/merged/").filter(|_| output["stage"] == "clean")
            {
                maps.insert((format!("data/merged/{name}"), rows, sha256));
            }
        }
    }
    let as_set = |parts: &mut dyn Iterator<Item = &PackedPart>| -> BTreeSet<(String, u64, String)> {
        parts.map(|p| (p.file.clone(), p.rows, p.sha256.clone())).collect()
    };
    let packed = as_set(&mut contents.tables.iter().flat_map(|t| &t.parts));
    against(check, &packed, &staged, [phrase!("package.not_staged"), phrase!("package.staged_missing")]);
    let packed = as_set(&mut contents.key_maps.iter());
    against(check, &packed, &maps, [phrase!("package.not_map"), phrase!("package.map_missing")]);
}

/// Parts of the package against those that the run recorded.
fn against(
    check: &mut Check<'_>,
    packed: &BTreeSet<(String, u64, String)>,
    recorded: &BTreeSet<(String, u64, String)>,
    [other, lacking]: [String; 2],
) {
    for (file, ..) in packed.difference(recorded) {
        check.found(file, &other);
    }
    for (file, ..) in recorded.difference(packed).filter(|(file, ..)| !packed.iter().any(|p| p.0 == *file)) {
        check.found(file, &lacking);
    }
}
