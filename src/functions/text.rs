//! Text: padding, full width, names, masking.
//!
//! Always: padding only restores lost leading zeros of a number. Everything else here changes what a value says, so rules call it, not
//! mappings (FORMS 2).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::StringArray;
use arrow::datatypes::DataType;
use datafusion::logical_expr::ScalarUDF;
use pinyin::ToPinyin;

use super::Codes;
use super::scalar::{Scalar, Takes};

/// Full-width characters → ASCII, ideographic space → space.
pub(super) fn half_width(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let half = |c: char| match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        '\u{3000}' => ' ',
        other => other,
    };
    Cow::Owned(text.chars().map(half).collect())
}

/// Left-pads a text of digits with zeros; a text with anything else in it (`LS000123`) stays as it is.
pub(super) fn padded(text: &str, width: usize) -> Cow<'_, str> {
    let short = text.len() < width && !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if short { Cow::Owned(format!("{text:0>width$}")) } else { Cow::Borrowed(text) }
}

/// A name without what was never part of it: spaces inside Chinese names, a trailing `*`, digit or bracketed remark; one form of the dot.
fn clean_name(text: &str) -> String {
    let mut name: String = half_width(text)
        .trim()
        .chars()
        .map(|c| if matches!(c, '\u{2022}' | '\u{30FB}' | '\u{FF65}') { '·' } else { c })
        .collect();
    loop {
        let kept = name.trim_end().trim_end_matches(|c: char| c == '*' || c.is_ascii_digit()).trim_end();
        let kept = if kept.ends_with(')') { kept.rfind('(').map_or(kept, |at| &kept[..at]) } else { kept };
        if kept.len() == name.len() {
            break;
        }
        name.truncate(kept.len());
    }
    let latin = name.chars().any(|c| c.is_ascii_alphabetic());
    if latin {
        name.split_whitespace().collect::<Vec<_>>().join(" ")
    } else {
        name.replace(char::is_whitespace, "")
    }
}

/// A name as it is compared: cleaned, without spaces and dots, variants of a character as one; nothing left: no name.
fn name_key_of(text: &str, variants: &BTreeMap<char, char>) -> Option<String> {
    let one = |c: char| variants.get(&c).copied().unwrap_or(c);
    let kept = |c: &char| !c.is_whitespace() && !matches!(c, '·' | '.');
    let key = clean_name(text).chars().filter(kept).map(one).collect::<String>().to_uppercase();
    (!key.is_empty()).then_some(key)
}

fn each(name: &str, change: fn(&str) -> Cow<'_, str>) -> ScalarUDF {
    Scalar::new(name, &[Takes::Text], DataType::Utf8).does(move |call| {
        let text = call.text(0)?;
        Ok(Arc::new((0..call.rows).map(|row| text.get(row).map(change)).collect::<StringArray>()))
    })
}

/// `half_width(text)`.
pub(super) fn half_width_function() -> ScalarUDF {
    each("half_width", half_width)
}

/// `name_clean(text)`.
pub(super) fn name_clean() -> ScalarUDF {
    each("name_clean", |t| Cow::Owned(clean_name(t)))
}

fn by_variants(name: &str, codes: Arc<Codes>, change: fn(String) -> String) -> ScalarUDF {
    Scalar::new(name, &[Takes::Text], DataType::Utf8).does(move |call| {
        let text = call.text(0)?;
        let one = |row: usize| text.get(row).and_then(|t| name_key_of(t, &codes.variants)).map(change);
        Ok(Arc::new((0..call.rows).map(one).collect::<StringArray>()))
    })
}

/// `name_key(text)`: a name as it is compared, the same for variants of characters, spaces and dots.
pub(super) fn name_key(codes: Arc<Codes>) -> ScalarUDF {
    by_variants("name_key", codes, |key| key)
}

/// `name_sound(text)`: its pinyin without tones; characters that have none stay.
pub(super) fn name_sound(codes: Arc<Codes>) -> ScalarUDF {
    by_variants("name_sound", codes, |key| {
        let sound = |c: char| c.to_pinyin().map_or_else(|| c.to_string(), |p| format!("{} ", p.plain()));
        key.chars().map(sound).collect::<String>().trim_end().to_owned()
    })
}

/// `pad(text, n)`: lost leading zeros of a number.
pub(super) fn pad() -> ScalarUDF {
    Scalar::new("pad", &[Takes::Text, Takes::Int], DataType::Utf8).does(|call| {
        let (text, width) = (call.text(0)?, call.ints(1)?);
        let one = |row: usize| {
            let width = usize::try_from(width.value(row)).unwrap_or(0).min(100);
            text.get(row).map(|t| padded(t, width).into_owned())
        };
        Ok(Arc::new((0..call.rows).map(one).collect::<StringArray>()))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::name_key_of;

    #[test]
    fn names_that_differ_by_variants_spaces_and_dots_have_one_key() {
        let variants = BTreeMap::from([('張', '张'), ('峯', '峰')]);
        let key = |name: &str| name_key_of(name, &variants);
        for (a, b, same) in [
            ("張三峯", "张三峰", true),
            ("张 三", "张三", true),
            ("阿里木·买买提", "阿里木买买提", true),
            ("李喆", "李哲", false),
            ("李四2", "李四", true),
        ] {
            assert_eq!(key(a) == key(b), same, "{a} {b}");
        }
        assert_eq!(key(" · "), None);
    }
}
