//! The truth of a generated city as its clerks are told it: how a fault is settled, and what a field would hold without it.
//!
//! Always: what the truth does not say is not known; nothing is worked out here.
//! Must not know: how the fixture plants a defect.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::super::items::Line;
use super::super::value::day;
use crate::mapping::City;
use crate::national::{Kind, National};
use crate::pipeline::listing::{cell, each};
use crate::pipeline::{LegacyRow, RunError};
use crate::rules::Effect;
use crate::state::DecisionKind;

/// A field of the legacy database, and what it would hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyField {
    /// `GRJBXX`, without its source.
    pub table: String,
    /// As `_skey` writes it.
    pub key: String,
    pub column: String,
    /// `∅`: the row would not be there.
    pub right: String,
}

/// A field of a row of the source: legacy row, national table and column.
type Field = (LegacyRow, String, String);

/// What clerks are told.
pub(super) struct Told {
    /// By rule and legacy row.
    settled: HashMap<(String, LegacyRow), DecisionKind>,
    /// By rule and legacy table: for rows that stand for several legacy rows, and have no key of their own.
    settled_there: HashMap<(String, String), DecisionKind>,
    /// What a field would hold, as its national column holds it.
    right: HashMap<Field, String>,
    /// The legacy field of it.
    legacy: HashMap<Field, LegacyField>,
    /// Legacy fields that a person has to mend where they stand, by their place.
    structural: BTreeMap<String, LegacyField>,
}

impl Told {
    /// Reads the truth beside a fixture.
    ///
    /// # Errors
    /// `DAT-…`.
    pub(super) fn read(truth: &Path, city: &City, national: &National) -> Result<Self, RunError> {
        let mut told = Self {
            settled: HashMap::new(),
            settled_there: HashMap::new(),
            right: HashMap::new(),
            legacy: HashMap::new(),
            structural: BTreeMap::new(),
        };
        each(vec![truth.to_owned()], |batch, row| {
            let text = |name: &str| cell(batch, name, row).unwrap_or_default();
            let legacy = LegacyRow { table: text("source_table"), key: text("source_key") };
            let settled = text("settled");
            if let Some(kind) = DecisionKind::ALL.into_iter().find(|k| k.text() == settled) {
                told.settled_there.insert((text("rule"), legacy.table.clone()), kind);
                told.settled.insert((text("rule"), legacy.clone()), kind);
            }
            let (right, column) = (text("right"), text("source_column"));
            if right.is_empty() {
                return;
            }
            let field: Field = (legacy, text("national_table"), text("column"));
            let Some((source, table)) = field.0.table.split_once('.') else { return };
            let (table, key) = (table.to_owned(), field.0.key.clone());
            let legacy = LegacyField { table, key, column, right };
            if text("kind") == "structural" {
                let place = format!("{} {} {}", legacy.table, legacy.key, legacy.column);
                told.structural.insert(place, legacy.clone());
            }
            if let Some(value) = held(city, national, (source, &legacy), &field) {
                told.right.insert(field.clone(), value);
            }
            told.legacy.insert(field, legacy);
        })?;
        Ok(told)
    }

    /// What clerks decide about an item, and the value that is right; none: the truth does not say.
    pub(super) fn decides(&self, line: &Line) -> Option<(DecisionKind, Option<String>)> {
        let Some(key) = line.skey.clone() else {
            let settled = self.settled_there.get(&(line.rule.clone(), line.source.clone())).copied();
            let settled = settled.filter(|kind| *kind != DecisionKind::Adopt || line.after.is_some());
            return settled.map(|kind| (kind, None));
        };
        let legacy = LegacyRow { table: line.source.clone(), key };
        let of_field = matches!(line.effect, Effect::None | Effect::Change);
        let right = self.right.get(&(legacy.clone(), line.table.clone(), line.column.clone()));
        if let Some(right) = right.filter(|_| of_field) {
            let same = |value: &Option<String>| value.as_ref() == Some(right);
            return Some(match (same(&line.before), same(&line.after)) {
                (true, _) => (DecisionKind::Waive, None),
                (false, true) => (DecisionKind::Adopt, None),
                (false, false) => (DecisionKind::Correct, Some(right.clone())),
            });
        }
        let settled = self.settled.get(&(line.rule.clone(), legacy)).copied()?;
        let proposed = line.after.is_some() || line.effect == Effect::Exclude;
        (settled != DecisionKind::Adopt || proposed).then_some((settled, None))
    }

    /// What breaks the form of the legacy database: whoever keeps it mends that there.
    pub(super) fn to_mend(&self) -> Vec<LegacyField> {
        self.structural.values().cloned().collect()
    }

    /// The legacy field behind a field.
    pub(super) fn legacy(&self, field: &Field) -> Option<&LegacyField> {
        self.legacy.get(field)
    }
}

/// A field by its names.
pub(super) fn place(source: &str, skey: Option<String>, table: String, column: String) -> Field {
    (LegacyRow { table: source.to_owned(), key: skey.unwrap_or_default() }, table, column)
}

/// What a legacy text is in its national column.
fn held(
    city: &City,
    national: &National,
    (source, legacy): (&str, &LegacyField),
    field: &Field,
) -> Option<String> {
    let right = legacy.right.as_str();
    let known = national.table(&field.1)?.column(&field.2)?;
    let view = city.view_of(source, &legacy.table)?;
    let mut lists = view.read_columns().filter(|(c, _)| c.from == legacy.column).map(|(_, of)| &of.codes);
    match (lists.next(), lists.next(), known.kind) {
        // Read in two ways, it is in two columns.
        (_, Some(_), _) | (None, None, _) => None,
        (Some(Some(list)), None, _) => city.codes.lists.get(list)?.translate(right)?.map(str::to_owned),
        (Some(None), None, Kind::Date) => day(right).map(|d| d.to_string()),
        (Some(None), None, _) => Some(right.to_owned()),
    }
}
