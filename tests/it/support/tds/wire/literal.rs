//! Parameters of a procedure call: their values read from the wire, written as T-SQL literals, put into the statement.
//!
//! Always: a literal denotes exactly the value that came; text is escaped; nothing is replaced within strings, quoted names and
//! comments.

use std::fmt::Write;

use bytes::{Buf, BytesMut};
use chrono::NaiveDate;

use super::rpc::{Refused, split, unsupported, utf16};

/// The length of a NULL in a two-byte length, and the declared length of a max type.
const MAX: u16 = 0xFFFF;

/// The days from 0001-01-01 to 1900-01-01.
const DAYS_TO_1900: i64 = 693_595;

/// A parameter's value.
#[derive(Debug, PartialEq, Eq)]
pub enum Value {
    /// Character data, not yet quoted.
    Text(String),
    /// A literal that needs no quotes, or has them.
    Literal(String),
}

impl Value {
    /// As T-SQL. What begins with a minus is put in parentheses, lest it make a comment of a minus before it.
    pub fn into_sql(self) -> String {
        match self {
            Self::Text(text) => format!("N'{}'", text.replace('\'', "''")),
            Self::Literal(literal) if literal.starts_with('-') => format!("({literal})"),
            Self::Literal(literal) => literal,
        }
    }

    fn null() -> Self {
        Self::Literal("NULL".to_owned())
    }
}

/// Reads TYPE_INFO and the value that follows it.
pub fn read(body: &mut BytesMut) -> Result<Value, Refused> {
    let id = body.try_get_u8()?;
    match id {
        0x1F => Ok(Value::null()),
        // The fixed-length types; `scalar` knows a type by its nullable sister.
        0x30 => scalar(0x26, 0, split(body, 1)?),
        0x32 => scalar(0x68, 0, split(body, 1)?),
        0x34 => scalar(0x26, 0, split(body, 2)?),
        0x38 => scalar(0x26, 0, split(body, 4)?),
        0x7F => scalar(0x26, 0, split(body, 8)?),
        0x3A => scalar(0x6F, 0, split(body, 4)?),
        0x3B => scalar(0x6D, 0, split(body, 4)?),
        0x3C => scalar(0x6E, 0, split(body, 8)?),
        0x3D => scalar(0x6F, 0, split(body, 8)?),
        0x3E => scalar(0x6D, 0, split(body, 8)?),
        0x7A => scalar(0x6E, 0, split(body, 4)?),
        0x28 => short(id, 0, body),
        0x24 | 0x26 | 0x68 | 0x6D | 0x6E | 0x6F => {
            body.try_get_u8()?;
            short(id, 0, body)
        }
        0x29..=0x2B => {
            let scale = body.try_get_u8()?;
            short(id, scale, body)
        }
        0x6A | 0x6C => {
            split(body, 2)?;
            let scale = body.try_get_u8()?;
            short(id, scale, body)
        }
        0xA5 | 0xAD | 0xA7 | 0xAF | 0xE7 | 0xEF => {
            let declared = body.try_get_u16_le()?;
            let collation = if matches!(id, 0xA5 | 0xAD) { BytesMut::new() } else { split(body, 5)? };
            let value = if declared == MAX { plp(body)? } else { long(body)? };
            value.map_or(Ok(Value::null()), |bytes| string(id, &collation, &bytes))
        }
        0xF1 => {
            if body.try_get_u8()? != 0 {
                return Err(unknown(id));
            }
            plp(body)?.map_or(Ok(Value::null()), |bytes| utf16(&bytes).map(Value::Text))
        }
        _ => Err(unknown(id)),
    }
}

fn unknown(id: u8) -> Refused {
    Refused::Sql(unsupported(8009, format!("Data type 0x{id:02X} is unknown.")))
}

fn short(id: u8, scale: u8, body: &mut BytesMut) -> Result<Value, Refused> {
    let length = usize::from(body.try_get_u8()?);
    let bytes = split(body, length)?;
    if bytes.is_empty() { Ok(Value::null()) } else { scalar(id, scale, bytes) }
}

fn long(body: &mut BytesMut) -> Result<Option<BytesMut>, Refused> {
    match body.try_get_u16_le()? {
        MAX => Ok(None),
        length => split(body, usize::from(length)).map(Some),
    }
}

fn plp(body: &mut BytesMut) -> Result<Option<BytesMut>, Refused> {
    if body.try_get_u64_le()? == u64::MAX {
        return Ok(None);
    }
    let mut value = BytesMut::new();
    loop {
        match body.try_get_u32_le()? {
            0 => return Ok(Some(value)),
            length => value.unsplit(split(body, length as usize)?),
        }
    }
}

fn string(id: u8, collation: &[u8], bytes: &[u8]) -> Result<Value, Refused> {
    match id {
        0xA5 | 0xAD => {
            let mut hex = String::from("0x");
            for byte in bytes {
                // Writing to a string cannot fail.
                let _ = write!(hex, "{byte:02X}");
            }
            Ok(Value::Literal(hex))
        }
        0xE7 | 0xEF => utf16(bytes).map(Value::Text),
        _ => {
            let encoding = match collation {
                [0x04, 0x08, ..] => encoding_rs::GBK,
                [0x04, 0x04, ..] => encoding_rs::BIG5,
                _ => encoding_rs::WINDOWS_1252,
            };
            Ok(Value::Text(encoding.decode_without_bom_handling(bytes).0.into_owned()))
        }
    }
}

/// A value of up to eight bytes, little-endian, zero-extended.
fn unsigned(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

fn scalar(id: u8, scale: u8, mut bytes: BytesMut) -> Result<Value, Refused> {
    let literal = match (id, bytes.len()) {
        (0x26, 1) | (0x68, 1) => bytes.get_u8().to_string(),
        (0x26, 2) => bytes.get_i16_le().to_string(),
        (0x26, 4) => bytes.get_i32_le().to_string(),
        (0x26, 8) => bytes.get_i64_le().to_string(),
        // With an exponent, for a literal without one is a decimal.
        (0x6D, 4) => format!("{:e}", bytes.get_f32_le()),
        (0x6D, 8) => format!("{:e}", bytes.get_f64_le()),
        (0x6E, 4) => {
            let value = bytes.get_i32_le();
            decimal(value < 0, u128::from(value.unsigned_abs()), 4)
        }
        (0x6E, 8) => {
            let (high, low) = (bytes.get_i32_le(), bytes.get_u32_le());
            let value = i64::from(high) << 32 | i64::from(low);
            decimal(value < 0, u128::from(value.unsigned_abs()), 4)
        }
        (0x6A | 0x6C, 5 | 9 | 13 | 17) => {
            let negative = bytes.get_u8() == 0;
            let magnitude = bytes.iter().rev().fold(0, |value, byte| value << 8 | u128::from(*byte));
            decimal(negative, magnitude, scale)
        }
        (0x24, 16) => guid(&bytes),
        _ => return temporal(id, scale, &bytes).map(|text| Value::Literal(format!("'{text}'"))),
    };
    Ok(Value::Literal(literal))
}

fn decimal(negative: bool, magnitude: u128, scale: u8) -> String {
    let scale = usize::from(scale);
    let digits = format!("{magnitude:0>width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let sign = if negative && magnitude != 0 { "-" } else { "" };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

fn guid(wire: &[u8]) -> String {
    const ORDER: [usize; 16] = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    let mut text = String::from("'");
    for (at, from) in ORDER.iter().enumerate() {
        let dash = if matches!(at, 4 | 6 | 8 | 10) { "-" } else { "" };
        let _ = write!(text, "{dash}{:02X}", wire[*from]);
    }
    text.push('\'');
    text
}

/// Dates and times, without the quotes.
fn temporal(id: u8, scale: u8, bytes: &[u8]) -> Result<String, Refused> {
    let split_end = |length: usize| bytes.len().checked_sub(length).ok_or(Refused::Malformed);
    match (id, bytes.len()) {
        (0x28, 3) => date(unsigned(bytes) as i64),
        (0x29, 3..=5) => time(unsigned(bytes), scale),
        (0x2A, 6..=8) => {
            let (clock, days) = bytes.split_at(split_end(3)?);
            Ok(format!("{} {}", date(unsigned(days) as i64)?, time(unsigned(clock), scale)?))
        }
        (0x2B, 8..=10) => {
            let (moment, offset) = bytes.split_at(split_end(2)?);
            let (clock, days) = moment.split_at(split_end(5)?);
            offset_literal(
                unsigned(clock),
                unsigned(days) as i64,
                i16::from_le_bytes([offset[0], offset[1]]),
                scale,
            )
        }
        (0x6F, 4) => {
            let (days, minutes) = bytes.split_at(2);
            let minutes = unsigned(minutes);
            let days = date(DAYS_TO_1900 + unsigned(days) as i64)?;
            Ok(format!("{days}T{:02}:{:02}:00", minutes / 60, minutes % 60))
        }
        (0x6F, 8) => {
            let (days, ticks) = bytes.split_at(4);
            let days = DAYS_TO_1900 + i64::from(unsigned(days) as u32 as i32);
            // 1/300 s to the nearest millisecond, as SQL Server prints it.
            let millis = (unsigned(ticks) * 10 + 1) / 3;
            Ok(format!("{}T{}", date(days)?, time(millis, 3)?))
        }
        _ => Err(Refused::Malformed),
    }
}

/// On the wire in UTC, in the literal local.
fn offset_literal(clock: u64, days: i64, offset: i16, scale: u8) -> Result<String, Refused> {
    let minute = 60 * 10_i64.checked_pow(u32::from(scale)).ok_or(Refused::Malformed)?;
    let day = 24 * 60 * minute;
    let local = days * day + clock as i64 + i64::from(offset) * minute;
    let (sign, distance) = if offset < 0 { ('-', -i32::from(offset)) } else { ('+', i32::from(offset)) };
    Ok(format!(
        "{} {} {sign}{:02}:{:02}",
        date(local.div_euclid(day))?,
        time(local.rem_euclid(day) as u64, scale)?,
        distance / 60,
        distance % 60
    ))
}

/// Days since 0001-01-01.
fn date(days: i64) -> Result<String, Refused> {
    let date = i32::try_from(days + 1).ok().and_then(NaiveDate::from_num_days_from_ce_opt);
    Ok(date.ok_or(Refused::Malformed)?.format("%Y-%m-%d").to_string())
}

/// Units of a scale since midnight.
fn time(units: u64, scale: u8) -> Result<String, Refused> {
    if scale > 7 {
        return Err(Refused::Malformed);
    }
    let unit = 10_u64.pow(u32::from(scale));
    let (seconds, fraction) = (units / unit, units % unit);
    let mut text = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if scale > 0 {
        let _ = write!(text, ".{fraction:0>width$}", width = usize::from(scale));
    }
    Ok(text)
}

/// The statement with its parameters replaced.
pub fn substitute(statement: &str, parameters: &[(String, String)]) -> String {
    let mut out = String::with_capacity(statement.len());
    let mut rest = statement;
    while let Some(next) = rest.chars().next() {
        let length = if next == '@' {
            let length = name_length(rest);
            if let Some((_, sql)) =
                parameters.iter().find(|(name, _)| name.eq_ignore_ascii_case(&rest[..length]))
            {
                out.push_str(sql);
                rest = &rest[length..];
                continue;
            }
            length
        } else {
            opaque_length(rest, next)
        };
        out.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    out
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '@' | '#' | '$')
}

fn name_length(text: &str) -> usize {
    text.find(|c| !is_name(c)).unwrap_or(text.len())
}

/// How much of the text stands or falls as one: a string, a quoted name, a comment, a name, or a character.
fn opaque_length(text: &str, first: char) -> usize {
    let until =
        |from: usize, end: &str| text[from..].find(end).map_or(text.len(), |at| from + at + end.len());
    match first {
        // A doubled quote ends one string and begins the next, which comes to the same.
        '\'' => until(1, "'"),
        '"' => until(1, "\""),
        '[' => until(1, "]"),
        '-' if text.starts_with("--") => until(2, "\n"),
        '/' if text.starts_with("/*") => comment_length(text),
        first if is_name(first) => name_length(text),
        other => other.len_utf8(),
    }
}

/// Comments nest.
fn comment_length(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_replaced_where_they_are_parameters() {
        let parameters = [("@P1".to_owned(), "1".to_owned()), ("@P10".to_owned(), "N'十'".to_owned())];
        let statement = "SELECT '@P1''@P1', [@P1], \"@P1\", N'@P1', x@P1, @@P1, @p1, @P10 -- @P1\n, @P1/* /*@P1*/ @P1 */+@P1";
        let expected =
            "SELECT '@P1''@P1', [@P1], \"@P1\", N'@P1', x@P1, @@P1, 1, N'十' -- @P1\n, 1/* /*@P1*/ @P1 */+1";
        assert_eq!(substitute(statement, &parameters), expected);
    }

    #[test]
    fn decimals_and_times_are_exact() {
        assert_eq!(decimal(true, 5, 2), "-0.05");
        assert_eq!(decimal(true, 0, 0), "0");
        assert_eq!(decimal(false, 10_u128.pow(38) - 1, 0), "9".repeat(38));
        assert_eq!(time(863_999_999_999, 7).unwrap(), "23:59:59.9999999");
        assert_eq!(date(0).unwrap(), "0001-01-01");
        assert_eq!(date(DAYS_TO_1900).unwrap(), "1900-01-01");
        assert_eq!(offset_literal(0, 730_119, -90, 0).unwrap(), "1999-12-31 22:30:00 -01:30");
    }
}
