//! `[[known_difference]]`: differences of the reconciliation that somebody answers for, each with its amount, its basis and its last day.
//!
//! Always: whoever answers for one has the role approver; amount, basis and last day are never left out; a cell has one at most.
//! Must not know: which lines a run will have; one that nothing answers to is shown with the run.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::ConfigError;
use super::file::Reader;
use super::people::{Person, Role};
use crate::artifacts::{KnownDifference, Unit};
use crate::measures::boundary;
use crate::reconcile::unit;

/// One of them, as written.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    boundary: String,
    table: String,
    measure: String,
    #[serde(default)]
    insurance: String,
    #[serde(default)]
    period: String,
    amount: String,
    basis: String,
    account: String,
    until: String,
}

const KEYS: &[&str] =
    &["boundary", "table", "measure", "insurance", "period", "amount", "basis", "account", "until"];
/// Keys that may be left out: the measure is not told apart by them.
const OPTIONAL: [&str; 2] = ["insurance", "period"];
const BOUNDARIES: [&str; 5] = [
    boundary::SOURCE_RAW,
    boundary::RAW_MAPPED,
    boundary::MAPPED_DISPOSITIONS,
    boundary::STAGED_PACKAGE,
    boundary::STAGED_DATABASE,
];

/// Checks the form of `[[known_difference]]`.
pub(super) fn check(reader: &mut Reader<'_>, value: &Spanned<DeValue<'_>>) {
    let DeValue::Array(all) = value.get_ref() else {
        let message = "`known_difference` is written [[known_difference]]".to_owned();
        return reader.mistake(value.span(), message, None);
    };
    let mut cells = BTreeSet::new();
    for one in all {
        let DeValue::Table(table) = one.get_ref() else {
            reader.mistake(one.span(), "`known_difference` holds tables".to_owned(), None);
            continue;
        };
        reader.keys(table, KEYS);
        let wanted = KEYS.iter().filter(|k| !OPTIONAL.contains(*k));
        for key in wanted.filter(|k| !table.keys().any(|t| t.get_ref() == **k)) {
            reader.mistake(one.span(), format!("this known difference has no `{key}`"), None);
        }
        values(reader, table);
        let cell: Vec<String> = KEYS[..5].iter().map(|key| text(table, key)).collect();
        if !cells.insert(cell) {
            let message = "this cell has another known difference: add the amounts up".to_owned();
            reader.mistake(one.span(), message, None);
        }
    }
}

fn text(table: &DeTable<'_>, key: &str) -> String {
    let found = table.iter().find(|(k, _)| k.get_ref() == key);
    found.and_then(|(_, v)| v.get_ref().as_str()).unwrap_or_default().to_owned()
}

fn values(reader: &mut Reader<'_>, table: &DeTable<'_>) {
    let of = unit(&text(table, "measure"));
    for (key, value) in table {
        let key = key.get_ref().as_ref();
        let (message, hint) = match (key, value.get_ref().as_str()) {
            (_, None) => (format!("`{key}` is not a text in quotes"), None),
            ("boundary", Some(found)) if !BOUNDARIES.contains(&found) => {
                reader.word(key, found, &BOUNDARIES, value.span());
                continue;
            }
            ("amount", Some(found)) if amount(found, of).is_none() => {
                let hint = match of {
                    Unit::Money { .. } => {
                        "yuan, such as \"-12.34\": what the left side has more than the right"
                    }
                    Unit::Rows | Unit::Bytes => {
                        "a whole number, such as \"3\": what the left side has more than the right"
                    }
                };
                ("`amount` is not a difference of this measure".to_owned(), Some(hint.to_owned()))
            }
            ("until", Some(found)) if found.parse::<NaiveDate>().is_err() => {
                ("`until` is not a day in quotes, such as \"2021-12-31\"".to_owned(), None)
            }
            (key, Some(found)) if found.trim().is_empty() && !OPTIONAL.contains(&key) => {
                (format!("`{key}` is empty"), None)
            }
            (_, Some(_)) => continue,
        };
        reader.mistake(value.span(), message, hint);
    }
}

/// An amount other than 0 in the last digit of its unit.
fn amount(text: &str, of: Unit) -> Option<i128> {
    let digits = match of {
        Unit::Rows | Unit::Bytes => 0,
        Unit::Money { digits } => digits as usize,
    };
    let (sign, number) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let plain = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !plain(whole) || !plain(decimals) || decimals.len() > digits {
        return None;
    }
    format!("{sign}{whole}{decimals:0<digits$}").parse().ok().filter(|n| *n != 0)
}

/// With who answers for each, and the amount as it is compared.
pub(super) fn resolve(
    written: Vec<Written>,
    people: &[Person],
    origin: &str,
) -> Result<Vec<KnownDifference>, ConfigError> {
    let one = |w: Written| {
        let value = |key, value: String, expected, example| ConfigError::Value {
            origin: origin.to_owned(),
            key,
            value,
            expected,
            example,
        };
        let person = people.iter().find(|p| p.account == w.account && p.roles.contains(&Role::Approver));
        let Some(person) = person else {
            let expected = "an account of [[people]] with the role approver";
            return Err(value("known_difference.account", w.account, expected, "wang"));
        };
        let unit = unit(&w.measure);
        let Some(amount) = amount(&w.amount, unit) else {
            return Err(value("known_difference.amount", w.amount, "a difference of this measure", "-12.34"));
        };
        Ok(KnownDifference {
            boundary: w.boundary,
            table: w.table,
            measure: w.measure,
            insurance: w.insurance,
            period: w.period,
            amount,
            unit,
            basis: w.basis,
            approver: person.name.clone(),
            account: w.account,
            until: w.until,
        })
    };
    written.into_iter().map(one).collect()
}
