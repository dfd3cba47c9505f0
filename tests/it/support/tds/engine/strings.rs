//! T-SQL's string functions over UTF-16, and DATEADD.
//!
//! Always: positions count UTF-16 units from 1, as SQL Server's do without an _SC collation.

use rusqlite::types::Value;

use super::super::value::{Datum, SqlError, SqlType};
use super::dates::{self, DAY, Moment};
use super::error::{fail, no_function};
use super::{collate, store};

/// How many arguments a function takes at least and at most.
pub fn arity(name: &str) -> Option<(usize, usize)> {
    Some(match name {
        "upper" | "lower" | "ltrim" | "rtrim" | "trim" | "len" | "reverse" => (1, 1),
        "left" | "right" | "replicate" => (2, 2),
        "substring" | "replace" => (3, 3),
        "quotename" => (1, 2),
        "charindex" => (2, 3),
        "concat" => (2, 64),
        _ => return None,
    })
}

/// Whether the argument at that place is a number.
pub fn takes_number(name: &str, at: usize) -> bool {
    matches!((name, at), ("left" | "right" | "replicate", 1) | ("substring", 1 | 2) | ("charindex", 2))
}

/// Calls a string function on stored forms: UTF-16LE blobs and integers.
pub fn call(name: &str, values: &[Value]) -> Result<Value, SqlError> {
    if values.contains(&Value::Null) && name != "concat" {
        return Ok(Value::Null);
    }
    let text = |at: usize| match values.get(at) {
        Some(Value::Blob(bytes)) => store::utf16_units(bytes),
        _ => Vec::new(),
    };
    let number = |at: usize| match values.get(at) {
        Some(Value::Integer(n)) => *n,
        _ => 0,
    };
    let given = |text: &[u16]| Ok(Value::Blob(store::utf16_bytes(text)));
    let size = |n: i64| {
        let message = "Invalid length parameter passed to the LEFT, RIGHT or SUBSTRING function.";
        usize::try_from(n).map_err(|_| fail(537, message))
    };
    let first = text(0);
    match name {
        "upper" => given(&first.iter().map(|unit| collate::upper(*unit)).collect::<Vec<_>>()),
        "lower" => given(&first.iter().map(|unit| collate::lower(*unit)).collect::<Vec<_>>()),
        "ltrim" => given(trim_start(&first)),
        "rtrim" => given(trim_end(&first)),
        "trim" => given(trim_start(trim_end(&first))),
        "len" => Ok(Value::Integer(i64::try_from(trim_end(&first).len()).unwrap_or(0))),
        "reverse" => given(&first.iter().rev().copied().collect::<Vec<_>>()),
        "left" => given(&first[..size(number(1))?.min(first.len())]),
        "right" => given(&first[first.len() - size(number(1))?.min(first.len())..]),
        "replicate" => match usize::try_from(number(1)) {
            Ok(times) => given(&first.repeat(times)),
            Err(_) => Ok(Value::Null),
        },
        "substring" => {
            size(number(2))?;
            let start = number(1);
            let end = start.saturating_add(number(2)).max(1) - 1;
            let place = |n: i64| usize::try_from(n).unwrap_or(0).min(first.len());
            let (start, end) = (place(start.max(1) - 1), place(end));
            given(&first[start..end.max(start)])
        }
        "replace" => given(&replace(&first, &text(1), &text(2))),
        "quotename" => given(&quoted(&first, text(1).first().copied())),
        "charindex" => {
            let (sought, all) = (fold(&first), fold(&text(1)));
            let from = usize::try_from(number(2).max(1) - 1).unwrap_or(0);
            let found = (from..all.len()).find(|at| all[*at..].starts_with(&sought));
            Ok(Value::Integer(
                found.filter(|_| !sought.is_empty()).map_or(0, |at| i64::try_from(at + 1).unwrap_or(0)),
            ))
        }
        "concat" => given(&(0..values.len()).flat_map(text).collect::<Vec<_>>()),
        _ => Err(no_function(name)),
    }
}

/// In brackets, or in the mark given, which is doubled inside.
fn quoted(text: &[u16], mark: Option<u16>) -> Vec<u16> {
    let mark = mark.unwrap_or(u16::from(b'['));
    let (open, close) = if matches!(mark, 0x5B | 0x5D) { (0x5B, 0x5D) } else { (mark, mark) };
    let mut quoted = vec![open];
    for unit in text {
        quoted.extend(std::iter::repeat_n(*unit, if *unit == close { 2 } else { 1 }));
    }
    quoted.push(close);
    quoted
}

fn fold(text: &[u16]) -> Vec<u16> {
    text.iter().map(|unit| collate::lower(*unit)).collect()
}

fn trim_end(text: &[u16]) -> &[u16] {
    &text[..text.iter().rposition(|unit| *unit != 0x20).map_or(0, |last| last + 1)]
}

fn trim_start(text: &[u16]) -> &[u16] {
    &text[text.iter().position(|unit| *unit != 0x20).unwrap_or(text.len())..]
}

fn replace(text: &[u16], sought: &[u16], new: &[u16]) -> Vec<u16> {
    let (folded, sought) = (fold(text), fold(sought));
    let mut result = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        if !sought.is_empty() && folded[at..].starts_with(&sought) {
            result.extend_from_slice(new);
            at += sought.len();
        } else {
            result.push(text[at]);
            at += 1;
        }
    }
    result
}

/// DATEADD on a value of a date type.
pub fn date_add(part: &str, number: i64, value: &Datum, kind: &SqlType) -> Result<Datum, SqlError> {
    let beyond = || {
        fail(517, format!("Adding a value to a '{}' column caused an overflow.", super::types::name(kind)))
    };
    let moment = Moment::of(value).ok_or_else(|| fail(8116, "Argument data type is invalid for dateadd."))?;
    const SECOND: i64 = 10_000_000;
    let unit = match part {
        "day" | "dd" | "d" => DAY,
        "week" | "wk" | "ww" => 7 * DAY,
        "hour" | "hh" => 3600 * SECOND,
        "minute" | "mi" | "n" => 60 * SECOND,
        "second" | "ss" | "s" => SECOND,
        "millisecond" | "ms" => SECOND / 1000,
        "microsecond" | "mcs" => SECOND / 1_000_000,
        "nanosecond" | "ns" => 0,
        "month" | "mm" | "m" | "year" | "yy" | "yyyy" => {
            let (year, month, day) = dates::civil(moment.days);
            let factor = if part.starts_with('y') { 12 } else { 1 };
            let months = number
                .checked_mul(factor)
                .and_then(|n| n.checked_add(year * 12 + month - 1))
                .ok_or_else(beyond)?;
            let (year, month) = (months.div_euclid(12), months.rem_euclid(12) + 1);
            // The last day of a shorter month where the day itself is not there.
            let days = (1..=day).rev().find_map(|day| dates::days(year, month, day)).ok_or_else(beyond)?;
            return Moment { days, ..moment }.stored(kind).ok_or_else(beyond);
        }
        _ => return Err(fail(155, format!("'{part}' is not a recognized dateadd option."))),
    };
    let step = if unit == 0 { Some(number / 100) } else { number.checked_mul(unit) };
    let all = step.and_then(|step| step.checked_add(moment.days * DAY + moment.time)).ok_or_else(beyond)?;
    let moved = Moment { days: all.div_euclid(DAY), time: all.rem_euclid(DAY), offset: moment.offset };
    moved.stored(kind).ok_or_else(beyond)
}
