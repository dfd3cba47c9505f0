//! Staged rows as PostgreSQL's binary COPY rows, and the digest of one.
//!
//! Always: one form a value, that which the server itself gives back (`numeric_send`, `varchar_send`): so a row that came back
//! unchanged has the same bytes. Numbers are whole multiples of their last digit; nothing passes through a float.
//! Must not know: which server.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType};
use chrono::{DateTime, Datelike, NaiveDate, Timelike};
use xxhash_rust::xxh3::xxh3_128;

use super::StagingError;
use crate::national::{Kind, Table};

/// What a binary COPY begins with: signature, no flags, no extension.
pub(super) const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What it ends with, in place of a row.
pub(super) const TRAILER: &[u8] = &[0xff, 0xff];
const NULL: &[u8] = &[0xff; 4];
const NEGATIVE: u16 = 0x4000;
/// Digits of one group of a number.
const GROUP: i128 = 10_000;

/// Appends row `at` of a batch, in the national columns' order.
///
/// # Errors
/// `STG-900` when a column has another type than the national schema says.
pub(super) fn append(
    table: &Table,
    batch: &RecordBatch,
    at: usize,
    into: &mut Vec<u8>,
) -> Result<(), StagingError> {
    let fields = i16::try_from(table.columns.len()).unwrap_or(i16::MAX);
    into.extend_from_slice(&fields.to_be_bytes());
    for (no, column) in table.columns.iter().enumerate() {
        let values = batch.column(no);
        if values.data_type() != &column.kind.arrow() {
            return Err(StagingError::Type { table: table.name.clone(), column: column.code.clone() });
        }
        if values.is_null(at) {
            into.extend_from_slice(NULL);
            continue;
        }
        match column.kind {
            Kind::Text(_) => field(into, values.as_string::<i32>().value(at).as_bytes()),
            Kind::Id => number(into, values.as_primitive::<Int64Type>().value(at).into(), 0),
            Kind::Period | Kind::Int(_) => {
                number(into, values.as_primitive::<Int32Type>().value(at).into(), 0);
            }
            Kind::Money => number(into, values.as_primitive::<Decimal128Type>().value(at), 2),
            Kind::Rate { scale, .. } => {
                number(into, values.as_primitive::<Decimal128Type>().value(at), scale.unsigned_abs());
            }
            Kind::Date => number(into, day(values.as_primitive::<Date32Type>().value(at)), 0),
            Kind::Time => {
                number(into, second(values.as_primitive::<TimestampMicrosecondType>().value(at)), 0)
            }
        }
    }
    Ok(())
}

/// A day since 1970 as yyyymmdd (reference 1, N8).
fn day(days: i32) -> i128 {
    let date = NaiveDate::from_epoch_days(days).unwrap_or_default();
    i128::from(date.year()) * 10_000 + i128::from(date.month()) * 100 + i128::from(date.day())
}

/// A time as yyyymmddHHMMSS (N14): the national form has no fractions of a second.
fn second(micros: i64) -> i128 {
    let time = DateTime::from_timestamp_micros(micros).unwrap_or_default();
    let days = i32::try_from(time.timestamp().div_euclid(86_400)).unwrap_or_default();
    let clock = time.hour() * 10_000 + time.minute() * 100 + time.second();
    day(days) * 1_000_000 + i128::from(clock)
}

fn field(into: &mut Vec<u8>, bytes: &[u8]) {
    into.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    into.extend_from_slice(bytes);
}

/// A numeric of `scale` decimals, `value` counted in its last digit: groups of four digits, none of them zero at either end.
fn number(into: &mut Vec<u8>, value: i128, scale: u8) {
    let fraction = usize::from(scale).div_ceil(4);
    let mut rest =
        value.unsigned_abs() * 10_u128.pow(u32::try_from(fraction * 4).unwrap_or(0) - u32::from(scale));
    let mut groups = Vec::with_capacity(10);
    while rest > 0 {
        groups.push(u16::try_from(rest % GROUP.unsigned_abs()).unwrap_or(0));
        rest /= GROUP.unsigned_abs();
    }
    let weight = if groups.is_empty() { 0 } else { groups.len() as i64 - fraction as i64 - 1 };
    let zeros = groups.iter().take_while(|g| **g == 0).count();
    let kept = &groups[zeros..];
    let sign = if value < 0 { NEGATIVE } else { 0 };
    into.extend_from_slice(&u32::try_from(8 + kept.len() * 2).unwrap_or(0).to_be_bytes());
    into.extend_from_slice(&u16::try_from(kept.len()).unwrap_or(0).to_be_bytes());
    into.extend_from_slice(&i16::try_from(weight).unwrap_or(0).to_be_bytes());
    into.extend_from_slice(&sign.to_be_bytes());
    into.extend_from_slice(&u16::from(scale).to_be_bytes());
    for group in kept.iter().rev() {
        into.extend_from_slice(&group.to_be_bytes());
    }
}

/// The fields of a row, `None` is NULL; `None` when the bytes are no row.
pub(super) fn fields(row: &[u8]) -> Option<Vec<Option<&[u8]>>> {
    let mut rest = row.get(2..)?;
    let count = u16::from_be_bytes(row.get(..2)?.try_into().ok()?);
    let mut all = Vec::with_capacity(count.into());
    for _ in 0..count {
        let length = i32::from_be_bytes(rest.get(..4)?.try_into().ok()?);
        rest = &rest[4..];
        let Ok(length) = usize::try_from(length) else {
            all.push(None);
            continue;
        };
        all.push(Some(rest.get(..length)?));
        rest = &rest[length..];
    }
    rest.is_empty().then_some(all)
}

/// How long the row at the beginning of `bytes` is; `None` when not all of it is there yet.
pub(super) fn length(bytes: &[u8]) -> Option<usize> {
    let count = u16::from_be_bytes(bytes.get(..2)?.try_into().ok()?);
    let mut at = 2;
    for _ in 0..count {
        let length = i32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?);
        at += 4 + usize::try_from(length).unwrap_or(0);
    }
    (at <= bytes.len()).then_some(at)
}

/// A field of a column as text, for people: numbers in decimal, text as it is.
pub(super) fn text(kind: Kind, bytes: &[u8]) -> String {
    match kind {
        Kind::Text(_) => String::from_utf8_lossy(bytes).into_owned(),
        Kind::Id
        | Kind::Date
        | Kind::Period
        | Kind::Time
        | Kind::Money
        | Kind::Rate { .. }
        | Kind::Int(_) => spelled(bytes).unwrap_or_else(|| "?".to_owned()),
    }
}

fn spelled(bytes: &[u8]) -> Option<String> {
    let word = |at: usize| Some(u16::from_be_bytes(bytes.get(at * 2..at * 2 + 2)?.try_into().ok()?));
    let (count, weight, sign, scale) =
        (usize::from(word(0)?), i64::from(word(1)?.cast_signed()), word(2)?, usize::from(word(3)?));
    let group = |place: i64| -> Option<u16> {
        let at = usize::try_from(weight - place).ok().filter(|at| *at < count);
        at.map_or(Some(0), |at| word(4 + at))
    };
    let mut whole = String::new();
    for place in (0..=weight.max(0)).rev() {
        whole.push_str(&format!("{:04}", group(place)?));
    }
    let trimmed = whole.trim_start_matches('0');
    let mut text = if sign == NEGATIVE { "-".to_owned() } else { String::new() };
    text.push_str(if trimmed.is_empty() { "0" } else { trimmed });
    if scale > 0 {
        let mut decimals = String::new();
        for place in 1..=scale.div_ceil(4) {
            decimals.push_str(&format!("{:04}", group(-i64::try_from(place).ok()?)?));
        }
        text.push('.');
        text.push_str(decimals.get(..scale)?);
    }
    Some(text)
}

/// The digests of a row: of its key's fields, and of all of it.
pub(super) fn digests(row: &[u8], key: &[usize]) -> Option<(u128, u128)> {
    let all = fields(row)?;
    let mut bytes = Vec::with_capacity(32);
    for no in key {
        match all.get(*no)? {
            Some(value) => field(&mut bytes, value),
            None => bytes.extend_from_slice(NULL),
        }
    }
    Some((xxh3_128(&bytes), xxh3_128(row)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(value: i128, scale: u8) -> Vec<u8> {
        let mut bytes = Vec::new();
        number(&mut bytes, value, scale);
        bytes.split_off(4)
    }

    #[test]
    fn numbers_have_the_form_that_the_server_gives_back() {
        // From `SELECT numeric_send(…)` of PostgreSQL 15.
        let hex = |bytes: Vec<u8>| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        assert_eq!(hex(of(0, 2)), "0000000000000002");
        assert_eq!(hex(of(1, 0)), "00010000000000000001");
        assert_eq!(hex(of(5, 2)), "0001ffff0000000201f4");
        assert_eq!(hex(of(-123_456, 2)), "000200004000000204d215e0");
        assert_eq!(hex(of(100_000_000, 0)), "00010002000000000001");
        assert_eq!(hex(of(80_000, 6)), "0001ffff000000060320");
    }

    proptest! {
        #[test]
        fn a_number_reads_back_as_it_was_written(value in -10_i128.pow(30)..10_i128.pow(30), scale in 0_u8..9) {
            let digits = format!("{:0width$}", value.unsigned_abs(), width = usize::from(scale) + 1);
            let (whole, decimals) = digits.split_at(digits.len() - usize::from(scale));
            let sign = if value < 0 { "-" } else { "" };
            let point = if scale > 0 { "." } else { "" };
            prop_assert_eq!(spelled(&of(value, scale)).unwrap(), format!("{sign}{whole}{point}{decimals}"));
        }

        #[test]
        fn bytes_that_are_no_row_are_none(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Some(found) = fields(&bytes) {
                prop_assert_eq!(length(&bytes), Some(bytes.len()));
                prop_assert!(found.len() <= bytes.len());
            }
        }
    }
}
