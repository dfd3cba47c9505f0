//! Values inside JSON text: `json_text(text, '$.a.b[0]')`.
//!
//! Always: exact: a number is given as it is written, never as a float. What is absent, or null, is NULL.

use std::sync::Arc;

use arrow::array::StringArray;
use arrow::datatypes::DataType;
use datafusion::common::exec_err;
use datafusion::logical_expr::ScalarUDF;
use serde::de::IgnoredAny;
use serde_json::{Deserializer, Error};

use super::scalar::{Scalar, Takes};

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

/// A place in a JSON text: `$`, then `.name`, `."any name"` or `[number]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPath(Vec<Step>);

impl JsonPath {
    /// Reads a path; `None` for what is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (mut rest, mut steps) = (text.strip_prefix('$')?, Vec::new());
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('[') {
                let (index, after) = after.split_once(']')?;
                steps.push(Step::Index(index.parse().ok()?));
                rest = after;
            } else if let Some(after) = rest.strip_prefix(".\"") {
                let (name, after) = after.split_once('"')?;
                steps.push(Step::Key(name.to_owned()));
                rest = after;
            } else {
                let after = rest.strip_prefix('.')?;
                let (name, after) = after.split_at(after.find(['.', '[']).unwrap_or(after.len()));
                steps.push(Step::Key(Some(name).filter(|n| !n.is_empty())?.to_owned()));
                rest = after;
            }
        }
        Some(Self(steps))
    }

    /// The value at this place as text; `None` where there is none, or null.
    fn find(&self, json: &str) -> Result<Option<String>, Error> {
        serde_json::from_str::<IgnoredAny>(json)?;
        let mut at = json.trim();
        for step in &self.0 {
            let inner = match step {
                Step::Key(name) => member(at, name)?,
                Step::Index(no) => element(at, *no)?,
            };
            let Some(inner) = inner else { return Ok(None) };
            at = inner;
        }
        match at {
            "null" => Ok(None),
            text if text.starts_with('"') => serde_json::from_str(text).map(Some),
            other => Ok(Some(other.to_owned())),
        }
    }
}

/// The first value of a text as it is written, and what follows it.
fn first(text: &str) -> Result<(&str, &str), Error> {
    let text = text.trim_start();
    let mut values = Deserializer::from_str(text).into_iter::<IgnoredAny>();
    values.next().transpose()?;
    Ok(text.split_at(values.byte_offset()))
}

/// The value under a name of an object; of twins the last, as databases keep it.
fn member<'j>(object: &'j str, name: &str) -> Result<Option<&'j str>, Error> {
    let Some(mut rest) = object.strip_prefix('{') else { return Ok(None) };
    let mut found = None;
    while rest.trim_start().starts_with('"') {
        let (key, after) = first(rest)?;
        let (value, after) = first(after.trim_start().trim_start_matches(':'))?;
        if serde_json::from_str::<String>(key)? == name {
            found = Some(value);
        }
        rest = after.trim_start().trim_start_matches(',');
    }
    Ok(found)
}

/// An element of a list.
fn element(list: &str, no: usize) -> Result<Option<&str>, Error> {
    let Some(mut rest) = list.strip_prefix('[') else { return Ok(None) };
    for _ in 0..no {
        if rest.trim_start().starts_with(']') {
            return Ok(None);
        }
        rest = first(rest)?.1.trim_start().trim_start_matches(',');
    }
    if rest.trim_start().starts_with(']') { Ok(None) } else { first(rest).map(|(value, _)| Some(value)) }
}

/// `json_text(text, path)`: the value at a place of a JSON text; NULL where there is none and for what is no JSON.
pub(super) fn json_text() -> ScalarUDF {
    Scalar::new("json_text", &[Takes::Text, Takes::Text], DataType::Utf8).does(|call| {
        let path = call.literal(1, "the path of json_text")?;
        let Some(place) = JsonPath::parse(&path) else {
            return exec_err!("json_text knows no path '{path}'");
        };
        let text = call.text(0)?;
        let found = |row| text.get(row).and_then(|t| place.find(t).ok().flatten());
        Ok(Arc::new((0..call.rows).map(found).collect::<StringArray>()))
    })
}

/// `_not_json(text, path)`: the text, where it is no JSON or holds no text at that place; else NULL.
pub(super) fn not_json() -> ScalarUDF {
    Scalar::new("_not_json", &[Takes::Text, Takes::Text], DataType::Utf8).does(|call| {
        let path = call.literal(1, "the path of json_text")?;
        let place = JsonPath::parse(&path);
        let text = call.text(0)?;
        let bad = |t: &&str| place.as_ref().is_some_and(|p| p.find(t).is_err());
        Ok(Arc::new((0..call.rows).map(|row| text.get(row).filter(bad)).collect::<StringArray>()))
    })
}

#[cfg(test)]
mod tests {
    use super::JsonPath;

    #[test]
    fn a_value_is_found_exactly_as_it_is_written() {
        const JSON: &str =
            r#"{"a": {"b": [1.50, "x\u5f20", null, {"c.d": 12345678901234567890.10}]}, "e": {"f": 1}}"#;
        for (path, found) in [
            ("$.a.b[0]", Some("1.50")),
            ("$.a.b[1]", Some("x张")),
            ("$.a.b[2]", None),
            ("$.a.b[9]", None),
            ("$.a.b[3].\"c.d\"", Some("12345678901234567890.10")),
            ("$.e", Some(r#"{"f": 1}"#)),
            ("$.a.b.c", None),
            ("$.z.z", None),
        ] {
            assert_eq!(JsonPath::parse(path).unwrap().find(JSON).unwrap().as_deref(), found, "{path}");
        }
        assert!(JsonPath::parse("$").unwrap().find("{").is_err());
        for wrong in ["a", "$a", "$.", "$.a[", "$[x]", "$.\"a", ""] {
            assert_eq!(JsonPath::parse(wrong), None, "{wrong}");
        }
    }
}
