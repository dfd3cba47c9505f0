//! Code lists: legacy code → national code, and membership of a national list.
//!
//! Always: `legacy` is matched after trimming; an entry with an empty code is a declared NULL; what is in no entry is unmapped, and the
//! caller says what then (refuse, null, keep).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{BooleanArray, StringArray, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::ScalarUDF;

use super::scalar::{Call, Scalar, Takes};

/// One list: legacy code (trimmed) → national code, or `None` for a declared NULL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CodeList {
    entries: HashMap<String, Option<String>>,
}

impl CodeList {
    /// A list from (legacy, national) pairs; an empty national code is a declared NULL. The pairs that contradict an earlier one
    /// come back as the error.
    ///
    /// # Errors
    /// The legacy codes that occur twice with different national codes.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self, Vec<String>> {
        let (mut entries, mut twice) = (HashMap::new(), Vec::new());
        for (legacy, code) in pairs {
            let legacy = legacy.trim().to_owned();
            let code = Some(code.trim().to_owned()).filter(|c| !c.is_empty());
            let before = entries.insert(legacy.clone(), code.clone());
            if before.is_some_and(|b| b != code) {
                twice.push(legacy);
            }
        }
        if twice.is_empty() { Ok(Self { entries }) } else { Err(twice) }
    }

    /// `None`: unmapped. `Some(None)`: a declared NULL.
    pub fn translate(&self, legacy: &str) -> Option<Option<&str>> {
        self.entries.get(legacy.trim()).map(Option::as_deref)
    }

    /// The legacy codes, ascending.
    pub fn legacy_codes(&self) -> Vec<&str> {
        let mut codes: Vec<&str> = self.entries.keys().map(String::as_str).collect();
        codes.sort_unstable();
        codes
    }
}

/// Every list that functions can name.
#[derive(Debug, Clone, Default)]
pub struct Codes {
    /// Characters of names that are written in several ways: the variant and the character that a comparison takes for both.
    pub variants: BTreeMap<char, char>,
    /// The city's lists by file stem (`sex`), and the common crosswalks (`G2/AAC008`).
    pub lists: BTreeMap<String, Arc<CodeList>>,
    /// National lists: code table (`AAC004`) → its codes.
    pub national: BTreeMap<String, Arc<std::collections::BTreeSet<String>>>,
    /// What the codes of the national lists are called: legacy columns hold names in place of codes.
    pub names: std::collections::BTreeSet<String>,
}

#[derive(Clone, Copy)]
enum Unmapped {
    Refuse,
    Null,
    Keep,
}

fn mode(call: &Call) -> Result<Unmapped> {
    match call.literal(2, "the mode of code_of")?.as_str() {
        "refuse" => Ok(Unmapped::Refuse),
        "null" => Ok(Unmapped::Null),
        "keep" => Ok(Unmapped::Keep),
        other => exec_err!("code_of knows the modes refuse, null and keep, not '{other}'"),
    }
}

/// `code_of(list, text, mode)`: the national code. What is in no entry: 'null' gives NULL, 'keep' the text, and 'refuse' is refused: in a
/// mapping it is a read error of its row (mapping/guard.rs puts `_unmapped` around it).
pub(super) fn code_of(codes: Arc<Codes>) -> ScalarUDF {
    Scalar::new("code_of", &[Takes::Text, Takes::Text, Takes::Text], DataType::Utf8).does(move |call| {
        let name = call.literal(0, "the code list of code_of")?;
        let Some(list) = codes.lists.get(&name) else { return exec_err!("there is no code list '{name}'") };
        let mode = mode(call)?;
        let text = call.text(1)?;
        let mut out = StringBuilder::with_capacity(call.rows, call.rows * 3);
        for row in 0..call.rows {
            let Some(legacy) = text.get(row) else {
                out.append_null();
                continue;
            };
            match (list.translate(legacy), mode) {
                (Some(code), _) => out.append_option(code),
                (None, Unmapped::Null) => out.append_null(),
                (None, Unmapped::Keep) => out.append_value(legacy),
                (None, Unmapped::Refuse) => {
                    return exec_err!("a code has no entry in the code list '{name}'");
                }
            }
        }
        Ok(Arc::new(out.finish()))
    })
}

/// `_unmapped(list, text)`: the text where no entry translates it; else NULL.
pub(super) fn unmapped(codes: Arc<Codes>) -> ScalarUDF {
    Scalar::new("_unmapped", &[Takes::Text, Takes::Text], DataType::Utf8).does(move |call| {
        let name = call.literal(0, "the code list of code_of")?;
        let Some(list) = codes.lists.get(&name) else { return exec_err!("there is no code list '{name}'") };
        let text = call.text(1)?;
        let bad = |t: &&str| list.translate(t).is_none();
        Ok(Arc::new((0..call.rows).map(|row| text.get(row).filter(bad)).collect::<StringArray>()))
    })
}

/// `in_code(table, text)`: whether the text is a code of that national code table; NULL for NULL.
pub(super) fn in_code(codes: Arc<Codes>) -> ScalarUDF {
    Scalar::new("in_code", &[Takes::Text, Takes::Text], DataType::Boolean).does(move |call| {
        let name = call.literal(0, "the code table of in_code")?;
        let Some(list) = codes.national.get(&name) else {
            return exec_err!("there is no code table '{name}'");
        };
        let text = call.text(1)?;
        let member = |row| text.get(row).map(|t| list.contains(t));
        Ok(Arc::new((0..call.rows).map(member).collect::<BooleanArray>()))
    })
}
