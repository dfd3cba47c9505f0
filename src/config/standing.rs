//! `[[standing]]`: proposals of a rule that a run approves by itself, up to a number and a day, because an approver said so beforehand.
//!
//! Always: whoever answers for one has the role approver; limit and day are never left out.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use toml::Spanned;
use toml::de::DeValue;

use super::error::ConfigError;
use super::file::Reader;
use super::people::{Person, Role};
use crate::phrase;
use crate::pipeline::Standing;

/// One of them, as written.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    rule: String,
    limit: u64,
    until: String,
    account: String,
}

const KEYS: &[&str] = &["rule", "limit", "until", "account"];

/// Checks the form of `[[standing]]`.
pub(super) fn check(reader: &mut Reader<'_>, value: &Spanned<DeValue<'_>>) {
    let DeValue::Array(all) = value.get_ref() else {
        return reader.mistake(
            value.span(),
            phrase!("config.written", key = "standing", form = "[[standing]]"),
            None,
        );
    };
    let mut rules = BTreeSet::new();
    for one in all {
        let DeValue::Table(table) = one.get_ref() else {
            reader.mistake(one.span(), phrase!("config.holds_tables", key = "standing"), None);
            continue;
        };
        reader.keys(table, KEYS);
        for key in KEYS.iter().filter(|k| !table.keys().any(|t| t.get_ref() == **k)) {
            reader.mistake(one.span(), phrase!("config.standing_lacks", key), None);
        }
        for (key, value) in table {
            let message = match (key.get_ref().as_ref(), value.get_ref()) {
                ("limit", DeValue::Integer(n)) if n.as_str().parse::<u64>().is_ok_and(|n| n > 0) => None,
                ("limit", _) => Some(phrase!("config.not_from_1", key = "limit")),
                ("until", DeValue::String(day)) if day.parse::<NaiveDate>().is_ok() => None,
                ("until", _) => Some(phrase!("config.not_day", key = "until")),
                ("rule", DeValue::String(rule)) => {
                    let twice = !rules.insert(rule.to_string());
                    twice.then(|| phrase!("config.standing_twice", rule))
                }
                (_, DeValue::String(_)) => None,
                (key, _) => Some(phrase!("config.not_text", key)),
            };
            if let Some(message) = message {
                reader.mistake(value.span(), message, None);
            }
        }
    }
}

/// With who answers for each.
pub(super) fn resolve(
    written: Vec<Written>,
    people: &[Person],
    origin: &str,
) -> Result<Vec<Standing>, ConfigError> {
    let one = |w: Written| {
        let person = people.iter().find(|p| p.account == w.account && p.roles.contains(&Role::Approver));
        let until = w.until.parse().map_err(|_| ConfigError::Value {
            origin: origin.to_owned(),
            key: "until",
            value: w.until.clone(),
            expected: phrase!("config.expected_day"),
            example: "2021-12-31",
        })?;
        match person {
            Some(person) => Ok(Standing {
                rule: w.rule,
                limit: w.limit,
                until,
                approver: person.name.clone(),
                account: w.account,
            }),
            None => {
                Err(ConfigError::NoApprover { origin: origin.to_owned(), rule: w.rule, account: w.account })
            }
        }
    };
    written.into_iter().map(one).collect()
}
