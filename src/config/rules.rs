//! `rules`, `[references]` and `[parameters.<RULE>]`: where rules are, outside data of the city, values that replace a rule's own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::DeValue;

use super::file::{Reader, resolve_relative_to};
use crate::phrase;
use crate::pipeline::RuleSettings;
use crate::sql_ident::literal;

/// Checks the form of one of the keys.
pub(super) fn check(reader: &mut Reader<'_>, key: &str, value: &Spanned<DeValue<'_>>) {
    let table = match value.get_ref() {
        DeValue::Table(table) => table,
        _ => {
            return reader.mistake(
                value.span(),
                phrase!("config.written", key, form = format!("[{key}]")),
                None,
            );
        }
    };
    for (name, of) in table {
        match (key, of.get_ref()) {
            ("references", DeValue::String(_)) => {}
            ("references", _) => {
                let message = phrase!("config.not_path", key = name.get_ref());
                reader.mistake(of.span(), message, None);
            }
            (_, DeValue::Table(params)) => {
                for (name, value) in params {
                    let fine = match value.get_ref() {
                        DeValue::String(_) | DeValue::Integer(_) => true,
                        // Written as text it stays exact.
                        DeValue::Float(f) => !f.as_str().contains(['e', 'E', 'n', 'i']),
                        _ => false,
                    };
                    if !fine {
                        let message = phrase!("config.not_parameter", key = name.get_ref());
                        reader.mistake(value.span(), message, None);
                    }
                }
            }
            (_, _) => {
                let message = phrase!(
                    "config.written",
                    key = name.get_ref(),
                    form = format!("[{key}.{}]", name.get_ref())
                );
                reader.mistake(of.span(), message, None);
            }
        }
    }
}

/// Makes the paths of a file independent of the current folder, and its parameters SQL.
pub(super) fn resolve(folder: &Path, text: &str, table: &mut toml::Table) {
    if let Some(rules) = table.get_mut("rules") {
        resolve_relative_to(folder, rules);
    }
    if let Some(toml::Value::Table(files)) = table.get_mut("references") {
        files.iter_mut().for_each(|(_, path)| resolve_relative_to(folder, path));
    }
    let Some(toml::Value::Table(rules)) = table.get_mut("parameters") else { return };
    let written = toml::de::DeTable::parse(text).ok();
    for (rule, params) in rules {
        let toml::Value::Table(params) = params else { continue };
        for (name, value) in params {
            let as_written = || {
                let table = written.as_ref()?.get_ref().get("parameters")?.get_ref().as_table()?;
                let value = table.get(rule.as_str())?.get_ref().as_table()?.get(name.as_str())?;
                match value.get_ref() {
                    DeValue::Float(f) => Some(f.as_str().replace('_', "")),
                    _ => None,
                }
            };
            let sql = match &*value {
                toml::Value::String(text) => literal(text),
                other => as_written().unwrap_or_else(|| other.to_string()),
            };
            *value = toml::Value::String(sql);
        }
    }
}

/// What rules are given. Their folder: as configured, else `sql` beside the mappings, where there is one.
pub(super) fn settings(
    configured: Option<PathBuf>,
    mappings: &Path,
    parameters: BTreeMap<String, BTreeMap<String, String>>,
    references: BTreeMap<String, PathBuf>,
) -> Option<RuleSettings> {
    let folder = configured.or_else(|| {
        let beside = mappings.parent().map(|parent| parent.join("sql"))?;
        beside.join("rules").is_dir().then_some(beside)
    })?;
    // Under the rules' own names, whatever the case in which the merge left them.
    let parameters = parameters.into_iter().map(|(rule, params)| (rule.to_uppercase(), params)).collect();
    Some(RuleSettings { folder, national: mappings.join("national"), parameters, references })
}
