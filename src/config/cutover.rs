//! `[cutover]`: limits of the criteria of cutover, and who approves.
//!
//! Always: as the rest of the file: every mistake with its line. That an approver is one of the people with that role is checked once all
//! layers are merged.

use toml::Spanned;
use toml::de::DeValue;

use super::error::ConfigError;
use super::file::Reader;
use super::people::{Person, Role};
use crate::cutover::CutoverSettings;
use crate::phrase;

const KEYS: &[&str] = &[
    "blocking",
    "undecided_max",
    "unmapped_rows_max",
    "not_checked_max",
    "age_days",
    "lag_hours",
    "window_hours",
    "approvals",
    "approvers",
];

/// Checks the table.
pub(super) fn check(reader: &mut Reader<'_>, value: &Spanned<DeValue<'_>>) {
    let DeValue::Table(table) = value.get_ref() else {
        reader.mistake(value.span(), phrase!("config.written", key = "cutover", form = "[cutover]"), None);
        return;
    };
    reader.keys(table, KEYS);
    for (key, of) in table {
        match (key.get_ref().as_ref(), of.get_ref()) {
            ("blocking", DeValue::Table(rules)) => {
                for (rule, rows) in rules.iter().filter(|(_, rows)| !whole(rows.get_ref(), 0)) {
                    let message = phrase!("config.not_from_0", key = rule.get_ref());
                    reader.mistake(rows.span(), message, None);
                }
            }
            ("blocking", _) => {
                let hint = phrase!("config.blocking_hint");
                reader.mistake(of.span(), phrase!("config.blocking"), Some(hint));
            }
            ("approvers", value) => {
                let texts = matches!(value, DeValue::Array(all) if all.iter().all(|v| v.get_ref().as_str().is_some()));
                if !texts {
                    reader.mistake(of.span(), phrase!("config.approvers"), None);
                }
            }
            (key @ ("age_days" | "lag_hours" | "window_hours" | "approvals"), value) if !whole(value, 1) => {
                reader.mistake(of.span(), phrase!("config.not_from_1", key), None);
            }
            (key @ ("undecided_max" | "unmapped_rows_max" | "not_checked_max"), value)
                if !whole(value, 0) =>
            {
                reader.mistake(of.span(), phrase!("config.not_from_0", key), None);
            }
            (_, _) => {}
        }
    }
}

fn whole(value: &DeValue<'_>, least: u32) -> bool {
    matches!(value, DeValue::Integer(i) if i.as_str().parse::<u32>().is_ok_and(|n| n >= least))
}

/// Whether every approver may approve, and there are as many as are wanted.
pub(super) fn approvers(
    settings: &CutoverSettings,
    people: &[Person],
    origin: &str,
) -> Result<(), ConfigError> {
    let may =
        |account: &String| people.iter().any(|p| p.account == *account && p.roles.contains(&Role::Approver));
    let value = |key, value: String, expected, example| ConfigError::Value {
        origin: origin.to_owned(),
        key,
        value,
        expected,
        example,
    };
    if let Some(account) = settings.approvers.iter().find(|a| !may(a)) {
        let expected = phrase!("config.expected_approver");
        return Err(value("cutover.approvers", account.clone(), expected, "wang"));
    }
    let distinct: std::collections::BTreeSet<&String> = settings.approvers.iter().collect();
    if !distinct.is_empty() && (settings.approvals as usize) > distinct.len() {
        let expected = phrase!("config.expected_approvals");
        return Err(value("cutover.approvals", settings.approvals.to_string(), expected, "2"));
    }
    Ok(())
}
