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
        reader.mistake(value.span(), "`cutover` is written [cutover]".to_owned(), None);
        return;
    };
    reader.keys(table, KEYS);
    for (key, of) in table {
        match (key.get_ref().as_ref(), of.get_ref()) {
            ("blocking", DeValue::Table(rules)) => {
                for (rule, rows) in rules.iter().filter(|(_, rows)| !whole(rows.get_ref(), 0)) {
                    let message = format!("`{}` is not a whole number from 0", rule.get_ref());
                    reader.mistake(rows.span(), message, None);
                }
            }
            ("blocking", _) => {
                let hint = "write blocking = { \"FIL-02\" = 20 }".to_owned();
                reader.mistake(of.span(), "`blocking` is not a table of rules".to_owned(), Some(hint));
            }
            ("approvers", value) => {
                let texts = matches!(value, DeValue::Array(all) if all.iter().all(|v| v.get_ref().as_str().is_some()));
                if !texts {
                    reader.mistake(of.span(), "`approvers` is not a list of accounts".to_owned(), None);
                }
            }
            (key @ ("age_days" | "lag_hours" | "window_hours" | "approvals"), value) if !whole(value, 1) => {
                reader.mistake(of.span(), format!("`{key}` is not a whole number from 1"), None);
            }
            (key @ ("undecided_max" | "unmapped_rows_max" | "not_checked_max"), value)
                if !whole(value, 0) =>
            {
                reader.mistake(of.span(), format!("`{key}` is not a whole number from 0"), None);
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
        let expected = "an account of [[people]] with the role approver";
        return Err(value("cutover.approvers", account.clone(), expected, "wang"));
    }
    let distinct: std::collections::BTreeSet<&String> = settings.approvers.iter().collect();
    if !distinct.is_empty() && (settings.approvals as usize) > distinct.len() {
        let expected = "at most as many as there are approvers";
        return Err(value("cutover.approvals", settings.approvals.to_string(), expected, "2"));
    }
    Ok(())
}
