//! `[[people]]`: who may do what, by the account of the operating system (RULES 6).

use std::collections::BTreeSet;

use toml::Spanned;
use toml::de::DeValue;

use super::file::Reader;
use crate::phrase;

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Runs extracts and batches.
    Operator,
    /// Decides about single rows (经办).
    Handler,
    /// Reviews decisions (复核).
    Reviewer,
    /// Approves batches and decisions (审批).
    Approver,
    /// Looks at everything, changes nothing.
    Auditor,
}

/// One of the people.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    pub name: String,
    /// Account of the operating system.
    pub account: String,
    pub roles: BTreeSet<Role>,
}

const KEYS: &[&str] = &["name", "account", "roles"];
const ROLES: [&str; 5] = ["operator", "handler", "reviewer", "approver", "auditor"];

/// Checks the form of `[[people]]`.
pub(super) fn check(reader: &mut Reader<'_>, value: &Spanned<DeValue<'_>>) {
    let DeValue::Array(all) = value.get_ref() else {
        return reader.mistake(
            value.span(),
            phrase!("config.written", key = "people", form = "[[people]]"),
            None,
        );
    };
    let mut accounts = BTreeSet::new();
    for one in all {
        let DeValue::Table(person) = one.get_ref() else {
            reader.mistake(one.span(), phrase!("config.holds_tables", key = "people"), None);
            continue;
        };
        reader.keys(person, KEYS);
        for key in KEYS.iter().filter(|k| !person.keys().any(|p| p.get_ref() == **k)) {
            reader.mistake(one.span(), phrase!("config.person_lacks", key), None);
        }
        for (key, value) in person {
            match (key.get_ref().as_ref(), value.get_ref()) {
                ("roles", DeValue::Array(roles)) => {
                    let known = |role: &&Spanned<DeValue<'_>>| {
                        role.get_ref().as_str().is_some_and(|r| ROLES.contains(&r))
                    };
                    for role in roles.iter().filter(|r| !known(r)) {
                        reader.mistake(role.span(), phrase!("config.role", known = ROLES.join(", ")), None);
                    }
                }
                ("roles", _) => reader.mistake(value.span(), phrase!("config.roles"), None),
                ("account", DeValue::String(account)) => {
                    if !accounts.insert(account.to_string()) {
                        reader.mistake(value.span(), phrase!("config.account_twice", account), None);
                    }
                }
                (_, DeValue::String(_)) => {}
                (key, _) => reader.mistake(value.span(), phrase!("config.not_text", key), None),
            }
        }
    }
}
