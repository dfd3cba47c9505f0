//! What row rules would find in rows once they are corrected: what they do not find there now, or what still keeps the row out in a corrected
//! field (RULES 5).
//!
//! Always: corrections are made, and rules asked, by the code that a run has. Only rules of severity B or E that repair nothing by themselves count.
//! Must not know: who corrects, or what becomes of a correction.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use arrow::array::{Array, AsArray, StringArray};

use super::correct::{Correction, correct};
use super::fault::RuleError;
use super::file::{Rule, RuleBook};
use super::kind::{Effect, Item, Repair, Severity};
use super::reasons::Reasons;
use super::run::{CleanFolders, CleanItem, find};
use super::tables::{Models, Tables};
use crate::dataset::{PartInfo, read_columns};
use crate::durable;
use crate::engine::Engine;
use crate::national::National;

/// Rows of a table, and what is to become of them.
pub struct BrokenOf<'a> {
    pub engine: &'a Engine,
    pub national: &'a National,
    pub book: &'a RuleBook,
    /// The work item of the rules that are answered.
    pub item: Item,
    pub table: &'a str,
    /// The rows, as a mapped table holds them.
    pub rows: PartInfo,
    pub corrections: &'a [Correction],
    pub as_of: chrono::NaiveDate,
    /// Made and removed here.
    pub scratch: &'a Path,
}

/// What a rule would find in a corrected row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Broken {
    pub key: String,
    pub source: String,
    pub skey: Option<String>,
    pub rule: String,
    pub column: String,
    /// Whether it keeps the row out.
    pub blocks: bool,
}

/// What rules would find in the rows, and do not find there now; in a field that is corrected nothing may keep the row out.
///
/// # Errors
/// `RUL-1…`, `ENG-…`, `DAT-…`, `DUR-001`.
pub fn broken(of: &BrokenOf<'_>) -> Result<BTreeSet<Broken>, RuleError> {
    let to = CleanFolders::under(of.scratch);
    for folder in [&to.cleaned, &to.scratch] {
        durable::create_dir_all(folder)?;
    }
    let before = BTreeMap::from([(of.table.to_owned(), vec![of.rows.clone()])]);
    let item = CleanItem {
        engine: of.engine,
        national: of.national,
        book: of.book,
        item: of.item,
        tables: &before,
        externals: &BTreeMap::new(),
        approved: &BTreeMap::new(),
        corrections: of.corrections,
        unfilled: &BTreeMap::new(),
        as_of: of.as_of,
        to: &to,
    };
    let known = found_in(&item, of.table)?;
    let corrected = correct(&item, &mut Reasons::default())?;
    let mut then = found_in(&CleanItem { tables: &corrected.tables, ..item }, of.table)?;
    durable::remove_dir_all(of.scratch)?;
    let fields: BTreeSet<[&str; 4]> =
        of.corrections.iter().map(|c| field(&c.key, &c.source, c.skey.as_deref(), &c.column)).collect();
    let corrects =
        |one: &Broken| fields.contains(&field(&one.key, &one.source, one.skey.as_deref(), &one.column));
    then.retain(|one| one.blocks && corrects(one) || !known.contains(one));
    Ok(then)
}

fn field<'a>(key: &'a str, source: &'a str, skey: Option<&'a str>, column: &'a str) -> [&'a str; 4] {
    [key, source, skey.unwrap_or_default(), column]
}

/// What the row rules of every work item find in a table.
fn found_in(of: &CleanItem<'_>, table: &str) -> Result<BTreeSet<Broken>, RuleError> {
    let asked =
        |r: &&Rule| r.table == table && r.is_row_rule && r.needs.is_empty() && r.effect != Effect::Add;
    let rules: Vec<&Rule> = of.book.rules.iter().filter(asked).collect();
    let mut models = Models::new(&of.to.scratch.join("models"))?;
    let (part, _) = find(of, &Tables::new(of, &mut models), &rules)?;
    let columns = ["_key", "_source", "_skey", "rule", "column", "severity", "repair"].map(str::to_owned);
    let mut all = BTreeSet::new();
    for batch in read_columns(&part.path, &columns)? {
        let batch = batch?;
        let text = |name: &str| batch.column_by_name(name).and_then(|c| c.as_string_opt::<i32>().cloned());
        let [Some(keys), Some(sources), Some(skeys), Some(rules), Some(columns), Some(levels), Some(repairs)] =
            columns.each_ref().map(|name| text(name))
        else {
            continue;
        };
        let counts = |row: usize| {
            let level = Severity::named(levels.value(row));
            let repair = Repair::named(repairs.value(row));
            matches!(level, Some(Severity::Blocks | Severity::Error)) && repair != Some(Repair::Automatic)
        };
        let value = |of: &StringArray, row: usize| of.value(row).to_owned();
        all.extend((0..batch.num_rows()).filter(|row| counts(*row)).map(|row| Broken {
            key: value(&keys, row),
            source: value(&sources, row),
            skey: skeys.is_valid(row).then(|| value(&skeys, row)),
            rule: value(&rules, row),
            column: value(&columns, row),
            blocks: Severity::named(levels.value(row)) == Some(Severity::Blocks),
        }));
    }
    Ok(all)
}
