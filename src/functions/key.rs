//! Keys as text, surrogate ids, and digests of rows (FORMS 3, contract "Names").
//!
//! Always: an id is computed from the legacy key parts alone, row by row, and is the same over runs, partitions and sources. A key as
//! text is unambiguous: `|` and `\` inside a part are escaped, NULL is `∅`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, FixedSizeBinaryBuilder, Int64Builder, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Int64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::scalar::{Call, Scalar, Takes};
use super::text::padded;

/// Separates the domain from the parts.
const DOMAIN_END: u8 = 0x1f;
/// Length mark of a part that is NULL.
const NULL_PART: u32 = u32::MAX;

/// How the parts of a key domain are written before they are hashed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Domain {
    /// Numbers get their lost leading zeros back.
    pub pad: Option<usize>,
}

/// The key domains of a city by name.
pub type Domains = BTreeMap<String, Domain>;

fn push(buffer: &mut Vec<u8>, part: Option<&str>, domain: Domain) {
    let Some(part) = part else {
        buffer.extend_from_slice(&NULL_PART.to_le_bytes());
        return;
    };
    let part = part.trim_end_matches(' ');
    let part = domain.pad.map_or_else(|| part.into(), |width| padded(part, width));
    buffer.extend_from_slice(&u32::try_from(part.len()).unwrap_or(NULL_PART - 1).to_le_bytes());
    buffer.extend_from_slice(part.as_bytes());
}

/// The part of one argument, row by row.
enum Part {
    Constant(String),
    Column(arrow::array::StringArray),
}

fn parts(call: &Call) -> Result<Vec<Part>> {
    let one = |value: &ColumnarValue| match value {
        ColumnarValue::Scalar(v) if !v.is_null() => Ok(Part::Constant(v.to_string())),
        ColumnarValue::Scalar(_) | ColumnarValue::Array(_) => {
            let text = cast(&value.to_array(call.rows)?, &DataType::Utf8)?;
            Ok(Part::Column(text.as_string::<i32>().clone()))
        }
    };
    call.args[1..].iter().map(one).collect()
}

/// `id(domain, part…)`: XXH3-64 over the domain and the length-prefixed, normalised parts, top bit cleared. NULL when every part that
/// is a column is NULL: a foreign key that names nobody is empty.
pub(super) fn id(domains: Arc<Domains>) -> ScalarUDF {
    Scalar::new("id", &[Takes::Text], DataType::Int64).and_more(Takes::Any, 1).does(move |call| {
        let name = call.literal(0, "the domain of id")?;
        let Some(domain) = domains.get(&name).copied() else {
            return exec_err!("there is no key domain '{name}'");
        };
        let parts = parts(call)?;
        let mut out = Int64Builder::with_capacity(call.rows);
        let mut buffer = Vec::with_capacity(64);
        for row in 0..call.rows {
            buffer.clear();
            buffer.extend_from_slice(name.as_bytes());
            buffer.push(DOMAIN_END);
            let (mut columns, mut filled) = (false, false);
            for part in &parts {
                match part {
                    Part::Constant(text) => push(&mut buffer, Some(text), domain),
                    Part::Column(text) => {
                        columns = true;
                        filled |= text.is_valid(row);
                        push(&mut buffer, text.is_valid(row).then(|| text.value(row)), domain);
                    }
                }
            }
            let hash = (xxh3_64(&buffer) & (u64::MAX >> 1)).cast_signed();
            out.append_option((filled || !columns).then_some(hash));
        }
        Ok(Arc::new(out.finish()))
    })
}

fn escaped(out: &mut String, part: &str) {
    for c in part.chars() {
        if matches!(c, '|' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
}

/// Writes one key as text: trailing spaces of a part trimmed, `|` between parts, `|` and `\` escaped by `\`, NULL `∅`.
pub fn key_text<'a>(out: &mut String, parts: impl Iterator<Item = Option<&'a str>>) {
    for (i, part) in parts.enumerate() {
        if i > 0 {
            out.push('|');
        }
        match part {
            Some(text) => escaped(out, text.trim_end_matches(' ')),
            None => out.push('∅'),
        }
    }
}

/// `key_text(part…)`: a national key as text (`_key`).
pub(super) fn key_text_function() -> ScalarUDF {
    Scalar::new("key_text", &[], DataType::Utf8).and_more(Takes::Any, 1).does(|call| {
        let columns: Vec<ArrayRef> = (0..call.args.len())
            .map(|i| Ok(cast(&call.array(i)?, &DataType::Utf8)?))
            .collect::<Result<_>>()?;
        let texts: Vec<_> = columns.iter().map(|c| c.as_string::<i32>()).collect();
        let mut out = StringBuilder::with_capacity(call.rows, call.rows * 20);
        let mut key = String::new();
        for row in 0..call.rows {
            key.clear();
            key_text(&mut key, texts.iter().map(|t| t.is_valid(row).then(|| t.value(row))));
            out.append_value(&key);
        }
        Ok(Arc::new(out.finish()))
    })
}

/// `with_occurrence(key, n)`: `key|#n`, the key of a row in a table without a unique key.
pub(super) fn with_occurrence() -> ScalarUDF {
    Scalar::new("with_occurrence", &[Takes::Text, Takes::Int], DataType::Utf8).does(|call| {
        let (keys, numbers) = (call.text(0)?, call.ints(1)?);
        let mut out = StringBuilder::with_capacity(call.rows, call.rows * 24);
        for row in 0..call.rows {
            if let Some(key) = keys.get(row) {
                // Writing into the builder's own buffer cannot fail.
                let _ = write!(out, "{key}|#{}", numbers.value(row));
            }
            out.append_value("");
        }
        Ok(Arc::new(out.finish()))
    })
}

fn feed(hash: &mut Xxh3, array: &ArrayRef, row: usize, formatter: &ArrayFormatter<'_>) -> Result<()> {
    if array.is_null(row) {
        hash.update(&NULL_PART.to_le_bytes());
        return Ok(());
    }
    let mut bytes = |b: &[u8]| {
        hash.update(&u32::try_from(b.len()).unwrap_or(NULL_PART - 1).to_le_bytes());
        hash.update(b);
    };
    match array.data_type() {
        DataType::Utf8 => bytes(array.as_string::<i32>().value(row).as_bytes()),
        DataType::Binary => bytes(array.as_binary::<i32>().value(row)),
        DataType::Int64 => bytes(&array.as_primitive::<Int64Type>().value(row).to_le_bytes()),
        DataType::Decimal128(_, _) => bytes(&array.as_primitive::<Decimal128Type>().value(row).to_le_bytes()),
        // Any other type by its text, which is exact for integers, decimals, times and (shortest form) floats.
        _ => bytes(formatter.value(row).try_to_string()?.as_bytes()),
    }
    Ok(())
}

/// XXH3-128 of each row's content, whatever the integer widths.
///
/// # Errors
/// DataFusion's, for a type that cannot be written as text.
pub fn digests(columns: &[ArrayRef]) -> Result<Vec<u128>> {
    let column = |array: &ArrayRef| {
        Ok(if array.data_type().is_integer() { cast(array, &DataType::Int64)? } else { array.clone() })
    };
    let columns: Vec<ArrayRef> = columns.iter().map(column).collect::<Result<_>>()?;
    let options = FormatOptions::default();
    let formatters: Vec<_> =
        columns.iter().map(|c| Ok(ArrayFormatter::try_new(c.as_ref(), &options)?)).collect::<Result<_>>()?;
    let mut out = Vec::new();
    for row in 0..columns.first().map_or(0, |c| c.len()) {
        let mut hash = Xxh3::new();
        for (array, formatter) in columns.iter().zip(&formatters) {
            feed(&mut hash, array, row, formatter)?;
        }
        out.push(hash.digest128());
    }
    Ok(out)
}

/// `row_digest(column…)`: XXH3-128 of a row's content, 16 bytes; orders rows of the same key (FORMS 1).
pub(super) fn row_digest() -> ScalarUDF {
    Scalar::new("row_digest", &[], DataType::FixedSizeBinary(16)).and_more(Takes::Any, 1).does(|call| {
        let columns: Vec<ArrayRef> = (0..call.args.len()).map(|i| call.array(i)).collect::<Result<_>>()?;
        let mut out = FixedSizeBinaryBuilder::with_capacity(call.rows, 16);
        for digest in digests(&columns)? {
            out.append_value(digest.to_be_bytes())?;
        }
        Ok(Arc::new(out.finish()))
    })
}

/// `row_hash(column…)`: half of a row's digest as a number, for sums that tell one set of rows from another.
pub(super) fn row_hash() -> ScalarUDF {
    Scalar::new("row_hash", &[], DataType::Int64).and_more(Takes::Any, 1).does(|call| {
        let columns: Vec<ArrayRef> = (0..call.args.len()).map(|i| call.array(i)).collect::<Result<_>>()?;
        let mut out = Int64Builder::with_capacity(call.rows);
        for digest in digests(&columns)? {
            // The upper 63 bits always fit.
            out.append_option(i64::try_from(digest >> 65).ok());
        }
        Ok(Arc::new(out.finish()))
    })
}
