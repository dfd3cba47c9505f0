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
use crate::phrase;
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
        let message = phrase!("config.written", key = "known_difference", form = "[[known_difference]]");
        return reader.mistake(value.span(), message, None);
    };
    let mut cells = BTreeSet::new();
    for one in all {
        let DeValue::Table(table) = one.get_ref() else {
            reader.mistake(one.span(), phrase!("config.holds_tables", key = "known_difference"), None);
            continue;
        };
        reader.keys(table, KEYS);
        let wanted = KEYS.iter().filter(|k| !OPTIONAL.contains(*k));
        for key in wanted.filter(|k| !table.keys().any(|t| t.get_ref() == **k)) {
            reader.mistake(one.span(), phrase!("config.known_lacks", key), None);
        }
        values(reader, table);
        let cell: Vec<String> = KEYS[..5].iter().map(|key| text(table, key)).collect();
        if !cells.insert(cell) {
            let message = phrase!("config.known_twice");
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
            (_, None) => (phrase!("config.not_text", key), None),
            ("boundary", Some(found)) if !BOUNDARIES.contains(&found) => {
                reader.word(key, found, &BOUNDARIES, value.span());
                continue;
            }
            ("amount", Some(found)) if amount(found, of).is_none() => {
                let hint = match of {
                    Unit::Money { .. } => {
                        phrase!("config.known_yuan")
                    }
                    Unit::Rows | Unit::Bytes => {
                        phrase!("config.known_number")
                    }
                };
                (phrase!("config.known_amount"), Some(hint))
            }
            ("until", Some(found)) if found.parse::<NaiveDate>().is_err() => {
                (phrase!("config.not_day", key = "until"), None)
            }
            (key, Some(found)) if found.trim().is_empty() && !OPTIONAL.contains(&key) => {
                (phrase!("config.empty", key), None)
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
            let expected = phrase!("config.expected_approver");
            return Err(value("known_difference.account", w.account, expected, "wang"));
        };
        let unit = unit(&w.measure);
        let Some(amount) = amount(&w.amount, unit) else {
            return Err(value(
                "known_difference.amount",
                w.amount,
                phrase!("config.expected_amount"),
                "-12.34",
            ));
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
