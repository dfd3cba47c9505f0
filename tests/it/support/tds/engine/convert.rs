//! CAST, CONVERT and assignment: a value of one type as a value of another.
//!
//! Always: what SQL Server refuses is refused with its number; exact values stay exact (no float between decimals).

use super::super::value::{Collation, Datum, SqlError, SqlType};
use super::dates::{self, Moment};
use super::decimal;
use super::error::{fail, overflow};
use super::types::{self, Family};
use super::{collate, store, text};

/// How a value is to be converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct How {
    /// CONVERT's third argument.
    pub style: Option<i32>,
    /// Into a column: too long is an error there, whereas CAST cuts.
    pub assign: bool,
}

pub const CAST: How = How { style: None, assign: false };
pub const ASSIGN: How = How { style: None, assign: true };

/// Fails where SQL Server knows no conversion between the types.
pub fn check(from: &SqlType, to: &SqlType, explicit: bool) -> Result<(), SqlError> {
    use Family::{Binary, Char, Date, Decimal, Float, Guid, Integer, NChar, Variant};
    let (a, b) = (types::family(from), types::family(to));
    let lob = |kind: &SqlType| matches!(kind, SqlType::Text { .. } | SqlType::NText { .. } | SqlType::Image);
    let allowed = match (a, b) {
        _ if from == to => true,
        _ if lob(from) && !matches!((a, b), (Binary, Binary) | (Char | NChar, Char | NChar)) => false,
        (Integer | Decimal | Float, Integer | Decimal | Float | Char | NChar) if !lob(to) => true,
        (Integer, Binary) | (Binary, Integer) => true,
        (Decimal | Float | Guid | Date, Binary) => explicit && binary_form(from),
        (Char | NChar, Binary) => explicit,
        (Char | NChar, _) | (Binary, Char | NChar | Binary) | (Guid, Char | NChar) | (Date, Char | NChar) => {
            !lob(to) || a == b || matches!((a, b), (Char, NChar) | (NChar, Char))
        }
        (Binary, Guid) | (_, Variant) => !types::is_old_lob(from),
        (Variant, _) => explicit,
        (Date, Date) => !matches!(
            (from, to),
            (SqlType::Date, SqlType::Time { .. }) | (SqlType::Time { .. }, SqlType::Date)
        ),
        _ => false,
    };
    let (from, to) = (types::name(from), types::name(to));
    match (allowed, explicit) {
        (true, _) => Ok(()),
        (_, true) => Err(SqlError {
            state: 2,
            ..fail(529, format!("Explicit conversion from data type {from} to {to} is not allowed."))
        }),
        _ if matches!((a, b), (Char | NChar, Binary)) => Err(SqlError {
            state: 3,
            ..fail(
                257,
                format!(
                    "Implicit conversion from data type {from} to {to} is not allowed. Use the CONVERT \
                        function to run this query."
                ),
            )
        }),
        _ => Err(fail(206, format!("Operand type clash: {from} is incompatible with {to}"))),
    }
}

/// Whether the engine knows the bytes that a cast of the type to binary gives.
fn binary_form(kind: &SqlType) -> bool {
    matches!(
        kind,
        SqlType::Money
            | SqlType::SmallMoney
            | SqlType::Float
            | SqlType::Real
            | SqlType::UniqueIdentifier
            | SqlType::Date
            | SqlType::DateTime
            | SqlType::SmallDateTime
    )
}

/// The value as a value of type `to`.
pub fn convert(value: &Datum, from: &SqlType, to: &SqlType, how: How) -> Result<Datum, SqlError> {
    if *value == Datum::Null || (from == to && !matches!(from, SqlType::Variant)) {
        return Ok(value.clone());
    }
    if let (SqlType::Variant, false) = (from, *to == SqlType::Variant) {
        let inner = match value {
            Datum::Int(_) => SqlType::BigInt,
            Datum::Float(_) => SqlType::Float,
            _ => SqlType::NVarChar { chars: None, collation: collate::default() },
        };
        return convert(value, &inner, to, how);
    }
    match types::family(to) {
        Family::Integer => integer(value, from, to),
        Family::Decimal => exact(value, from, to),
        Family::Float => float(value, from, to),
        Family::Char | Family::NChar => string(value, from, to, how),
        Family::Binary => binary(value, from, to, how),
        Family::Date => date(value, from, to),
        Family::Guid => guid(value, from),
        Family::Variant => match value {
            Datum::Int(_) | Datum::Float(_) => Ok(value.clone()),
            _ => Ok(Datum::Utf16(text_of(value, from, None)?)),
        },
    }
}

/// A string value as Rust text, for parsing.
fn parsed_text(value: &Datum, from: &SqlType) -> Result<String, SqlError> {
    Ok(String::from_utf16_lossy(&text_of(value, from, None)?))
}

fn range(kind: &SqlType) -> (i64, i64) {
    match kind {
        SqlType::TinyInt => (0, 255),
        SqlType::SmallInt => (i64::from(i16::MIN), i64::from(i16::MAX)),
        SqlType::Int => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => (i64::MIN, i64::MAX),
    }
}

/// The integer if the type holds it.
pub fn ranged(n: i128, to: &SqlType) -> Result<Datum, SqlError> {
    let (least, most) = range(to);
    let name = types::name(to);
    match i64::try_from(n) {
        Ok(n) if *to == SqlType::Bit => Ok(Datum::Int(i64::from(n != 0))),
        Ok(n) if (least..=most).contains(&n) => Ok(Datum::Int(n)),
        _ if matches!(to, SqlType::TinyInt | SqlType::SmallInt) => {
            let message = format!("Arithmetic overflow error for data type {name}, value = {n}.");
            Err(fail(220, message))
        }
        _ => Err(SqlError { state: 2, ..overflow(name) }),
    }
}

fn integer(value: &Datum, from: &SqlType, to: &SqlType) -> Result<Datum, SqlError> {
    match value {
        Datum::Int(n) => ranged(i128::from(*n), to),
        Datum::Decimal(n) => {
            let scale = types::exact(from).map_or(0, |(_, scale)| scale);
            let bit = *to == SqlType::Bit;
            let whole = match from {
                _ if bit => *n,
                // Money rounds, decimal cuts.
                SqlType::Money | SqlType::SmallMoney => decimal::rescale(*n, scale, 0)?,
                _ => n / decimal::power(scale),
            };
            ranged(if bit { i128::from(whole != 0) } else { whole }, to)
        }
        Datum::Float(n) if *to == SqlType::Bit => Ok(Datum::Int(i64::from(*n != 0.0))),
        Datum::Float(n) => {
            // 2^63 is the first float that bigint does not hold.
            if n.is_nan() || n.abs() > 9_223_372_036_854_775_808.0 {
                return Err(overflow(types::name(to)));
            }
            #[expect(
                clippy::cast_possible_truncation,
                reason = "checked above; the cut is what SQL Server does"
            )]
            ranged(n.trunc() as i128, to)
        }
        Datum::Bytes(bytes) if types::family(from) == Family::Binary => {
            // The last bytes, big-endian, as many as the type has.
            let width = usize::try_from(types::catalogue_sizes(to).0).unwrap_or(8);
            let tail = &bytes[bytes.len().saturating_sub(width)..];
            let n = tail.iter().fold(0_u64, |n, byte| n << 8 | u64::from(*byte)).cast_signed();
            let spare = 64 - u32::from(types::catalogue_sizes(to).0.unsigned_abs()) * 8;
            let signed = if matches!(to, SqlType::TinyInt | SqlType::Bit) { n } else { n << spare >> spare };
            ranged(i128::from(signed), to)
        }
        Datum::Bytes(_) | Datum::Utf16(_) => integer_text(&parsed_text(value, from)?, from, to),
        _ => Err(no_way(from, to)),
    }
}

fn integer_text(text: &str, from: &SqlType, to: &SqlType) -> Result<Datum, SqlError> {
    let trimmed = text.trim();
    let (from, name) = (types::name(from), types::name(to));
    if *to == SqlType::Bit {
        match trimmed.to_ascii_lowercase().as_str() {
            "true" => return Ok(Datum::Int(1)),
            "false" => return Ok(Datum::Int(0)),
            _ => {}
        }
    }
    if trimmed.is_empty() {
        return Ok(Datum::Int(0));
    }
    let digits = trimmed.strip_prefix(['-', '+']).unwrap_or(trimmed);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let message =
            format!("Conversion failed when converting the {from} value '{text}' to data type {name}.");
        return Err(if *to == SqlType::BigInt {
            SqlError { state: 5, ..fail(8114, format!("Error converting data type {from} to {name}.")) }
        } else {
            fail(245, message)
        });
    }
    let n = trimmed.strip_prefix('+').unwrap_or(trimmed).parse::<i128>().unwrap_or(i128::MAX);
    ranged(n, to).map_err(|error| match to {
        SqlType::Int => {
            fail(248, format!("The conversion of the {from} value '{text}' overflowed an int column."))
        }
        SqlType::TinyInt | SqlType::SmallInt => fail(
            244,
            format!("The conversion of the {from} value '{text}' overflowed an INT1 or INT2 column."),
        ),
        _ => error,
    })
}

fn no_way(from: &SqlType, to: &SqlType) -> SqlError {
    let (from, to) = (types::name(from), types::name(to));
    SqlError {
        state: 2,
        ..fail(529, format!("Explicit conversion from data type {from} to {to} is not allowed."))
    }
}

fn exact(value: &Datum, from: &SqlType, to: &SqlType) -> Result<Datum, SqlError> {
    let (precision, scale) = types::exact(to).unwrap_or((38, 0));
    let wrong = || {
        let (from, name) = (types::name(from), types::name(to));
        SqlError { state: 5, ..fail(8114, format!("Error converting data type {from} to {name}.")) }
    };
    let n = match value {
        Datum::Int(n) => decimal::rescale(i128::from(*n), 0, scale)?,
        Datum::Decimal(n) => decimal::rescale(*n, types::exact(from).map_or(0, |(_, scale)| scale), scale)?,
        Datum::Float(n) => {
            let (n, _, digits) = decimal::parse(&format!("{n:.*}", usize::from(scale)))
                .ok_or_else(|| overflow(types::name(to)))?;
            decimal::rescale(n, digits, scale)?
        }
        Datum::Bytes(_) | Datum::Utf16(_) if types::family(from) != Family::Binary => {
            let text = parsed_text(value, from)?;
            let money = matches!(to, SqlType::Money | SqlType::SmallMoney);
            let text = if money { text.replace([',', '$'], "") } else { text };
            if money && text.trim().is_empty() {
                0
            } else {
                let (n, _, digits) = decimal::parse(&text).ok_or_else(wrong)?;
                decimal::rescale(n, digits, scale)?
            }
        }
        _ => return Err(no_way(from, to)),
    };
    let fits = match to {
        SqlType::Money => i64::try_from(n).is_ok(),
        SqlType::SmallMoney => i32::try_from(n).is_ok(),
        _ => decimal::fit(n, precision).is_ok(),
    };
    if fits {
        return Ok(Datum::Decimal(n));
    }
    let name = if let SqlType::Decimal { .. } = to { "numeric" } else { types::name(to) };
    Err(SqlError { state: 8, ..overflow(name) })
}

#[expect(clippy::cast_precision_loss, reason = "to float is what was asked for")]
#[expect(clippy::cast_possible_truncation, reason = "real is a float of 32 bits")]
fn float(value: &Datum, from: &SqlType, to: &SqlType) -> Result<Datum, SqlError> {
    let n = match value {
        Datum::Int(n) => *n as f64,
        Datum::Float(n) => *n,
        Datum::Decimal(n) => {
            // Through the digits, so that the nearest float comes out.
            let scale = types::exact(from).map_or(0, |(_, scale)| scale);
            decimal::text(*n, scale).parse().map_err(|_| no_way(from, to))?
        }
        Datum::Bytes(_) | Datum::Utf16(_) if types::family(from) != Family::Binary => {
            let text = parsed_text(value, from)?;
            let trimmed = text.trim();
            let plain = trimmed.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
            let number = if trimmed.is_empty() { Ok(0.0) } else { trimmed.parse::<f64>() };
            number.ok().filter(|_| plain).ok_or_else(|| {
                let (from, name) = (types::name(from), types::name(to));
                SqlError { state: 5, ..fail(8114, format!("Error converting data type {from} to {name}.")) }
            })?
        }
        _ => return Err(no_way(from, to)),
    };
    let n = if *to == SqlType::Real { f64::from(n as f32) } else { n };
    if n.is_finite() { Ok(Datum::Float(n)) } else { Err(overflow(types::name(to))) }
}

fn date(value: &Datum, from: &SqlType, to: &SqlType) -> Result<Datum, SqlError> {
    if matches!(types::family(from), Family::Char | Family::NChar) {
        return dates::parse(&parsed_text(value, from)?, to);
    }
    let moment = Moment::of(value).ok_or_else(|| no_way(from, to))?;
    moment.stored(to).ok_or_else(|| {
        let (from, name) = (types::name(from), types::name(to));
        let message = format!(
            "The conversion of a {from} data type to a {name} data type resulted in an out-of-range value."
        );
        fail(242, message)
    })
}

fn guid(value: &Datum, from: &SqlType) -> Result<Datum, SqlError> {
    if let (Datum::Bytes(bytes), Family::Binary) = (value, types::family(from)) {
        let mut all = bytes.clone();
        all.resize(16, 0);
        return Ok(Datum::Guid(mixed(&all)));
    }
    let text = parsed_text(value, from)?;
    let bare = text.strip_prefix('{').unwrap_or(&text);
    let dashed = bare.is_char_boundary(36) && bare.len() >= 36;
    let bytes = dashed.then(|| super::lex::unhex(&bare[..36].replace('-', ""))).flatten();
    let placed = dashed && [8, 13, 18, 23].iter().all(|at| bare.as_bytes()[*at] == b'-');
    match bytes.and_then(|bytes| <[u8; 16]>::try_from(bytes).ok()) {
        Some(guid) if placed => Ok(Datum::Guid(guid)),
        _ => Err(SqlError {
            state: 2,
            ..fail(8169, "Conversion failed when converting from a character string to uniqueidentifier.")
        }),
    }
}

/// Text order to the order in memory (three little-endian groups) and back: the swap is its own inverse.
fn mixed(bytes: &[u8]) -> [u8; 16] {
    let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
    order.map(|at| bytes.get(at).copied().unwrap_or(0))
}

/// The value as text, of whatever length it has.
pub fn text_of(value: &Datum, from: &SqlType, style: Option<i32>) -> Result<Vec<u16>, SqlError> {
    let units = |text: String| Ok(text.encode_utf16().collect());
    match value {
        Datum::Utf16(text) => Ok(text.clone()),
        Datum::Bytes(bytes) => match types::collation(from) {
            Some(collation) => Ok(collate::decode(bytes, collation.code_page)),
            None => match style {
                Some(1) => units(format!("0x{}", super::lex::hex(bytes))),
                Some(2) => units(super::lex::hex(bytes)),
                _ => Ok(store::utf16_units(bytes)),
            },
        },
        Datum::Int(n) => units(n.to_string()),
        Datum::Decimal(n) => match from {
            SqlType::Money | SqlType::SmallMoney => units(text::money(*n, style.unwrap_or(0))?),
            _ => units(decimal::text(*n, types::exact(from).map_or(0, |(_, scale)| scale))),
        },
        Datum::Float(n) => units(text::float(*n, style.unwrap_or(0), *from == SqlType::Real)?),
        Datum::Guid(bytes) => {
            let hex = super::lex::hex(bytes);
            units(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]))
        }
        Datum::Null => Ok(Vec::new()),
        _ => units(dates::text(value, from, style)?),
    }
}

fn string(value: &Datum, from: &SqlType, to: &SqlType, how: How) -> Result<Datum, SqlError> {
    let limit = match to {
        SqlType::Text { .. } | SqlType::NText { .. } | SqlType::Xml => usize::MAX,
        _ => types::length(to).map_or(usize::MAX, usize::from),
    };
    let plain = matches!(types::family(from), Family::Char | Family::NChar | Family::Binary);
    let Some(Collation { code_page, .. }) =
        types::collation(to).filter(|_| types::family(to) == Family::Char)
    else {
        let mut text = text_of(value, from, how.style)?;
        if text.len() > limit {
            fits(plain, how, from, to, || text[limit..].iter().all(|unit| *unit == 0x20))?;
            text.truncate(limit);
        }
        if matches!(to, SqlType::NChar { .. }) {
            text.resize(limit, 0x20);
        }
        return Ok(Datum::Utf16(text));
    };
    let same_page = types::collation(from).is_none_or(|collation| collation.code_page == *code_page);
    let mut bytes = match value {
        Datum::Bytes(bytes) if same_page && how.style.unwrap_or(0) == 0 => bytes.clone(),
        _ => collate::encode(&text_of(value, from, how.style)?, *code_page),
    };
    if bytes.len() > limit {
        if matches!(value, Datum::Int(_)) {
            // SQL Server's way to say that a number has no room.
            bytes = b"*".to_vec();
            if how.assign {
                return Err(overflow(types::name(to)));
            }
        } else {
            fits(plain, how, from, to, || bytes[limit..].iter().all(|byte| *byte == b' '))?;
            bytes.truncate(whole_characters(&bytes, limit, *code_page));
        }
    }
    if matches!(to, SqlType::Char { .. }) {
        bytes.resize(limit, b' ');
    }
    Ok(Datum::Bytes(bytes))
}

/// Fails if a value too long for its target may not be cut.
fn fits(
    plain: bool,
    how: How,
    from: &SqlType,
    to: &SqlType,
    blank: impl Fn() -> bool,
) -> Result<(), SqlError> {
    if how.assign && !blank() {
        return Err(fail(2628, "String or binary data would be truncated."));
    }
    // Text and dates may be cut by a cast; numbers and guids may not.
    if plain || types::family(from) == Family::Date {
        return Ok(());
    }
    match types::family(from) {
        Family::Guid => {
            Err(fail(8170, "Insufficient result space to convert uniqueidentifier value to char."))
        }
        _ => Err(SqlError { state: 5, ..overflow(types::name(to)) }),
    }
}

/// The greatest length up to `limit` that does not cut a character in two.
fn whole_characters(bytes: &[u8], limit: usize, page: u32) -> usize {
    let mut at = 0;
    if page == 65001 {
        at = limit;
        while at > 0 && bytes[at] & 0xC0 == 0x80 {
            at -= 1;
        }
        return at;
    }
    while at < limit {
        let width = if collate::is_lead(bytes[at], page) { 2 } else { 1 };
        if at + width > limit {
            break;
        }
        at += width;
    }
    at
}

fn binary(value: &Datum, from: &SqlType, to: &SqlType, how: How) -> Result<Datum, SqlError> {
    let limit =
        if *to == SqlType::Image { usize::MAX } else { types::length(to).map_or(usize::MAX, usize::from) };
    let styled =
        matches!(how.style, Some(1 | 2)) && matches!(types::family(from), Family::Char | Family::NChar);
    let number = matches!(value, Datum::Int(_)) || matches!(types::family(from), Family::Decimal);
    let mut bytes = match value {
        _ if styled => {
            let text = parsed_text(value, from)?;
            let digits = if how.style == Some(1) { text.strip_prefix("0x").unwrap_or("?") } else { &text };
            let even = digits.len() % 2 == 0;
            super::lex::unhex(digits).filter(|_| even).ok_or_else(|| SqlError {
                state: 5,
                ..fail(8114, "Error converting data type varchar to varbinary.")
            })?
        }
        Datum::Bytes(bytes) => bytes.clone(),
        Datum::Utf16(text) => store::utf16_bytes(text),
        _ => binary_of(value, from).ok_or_else(|| no_way(from, to))?,
    };
    if bytes.len() > limit {
        if how.assign && bytes[limit..].iter().any(|byte| *byte != 0) {
            return Err(fail(2628, "String or binary data would be truncated."));
        }
        // A number keeps its low bytes, everything else its first.
        if number {
            bytes.drain(..bytes.len() - limit);
        } else {
            bytes.truncate(limit)
        }
    }
    if matches!(to, SqlType::Binary { .. } | SqlType::RowVersion) {
        let missing = limit - bytes.len();
        if number {
            bytes.splice(0..0, std::iter::repeat_n(0, missing));
        } else {
            bytes.resize(limit, 0)
        }
    }
    Ok(Datum::Bytes(bytes))
}

fn binary_of(value: &Datum, from: &SqlType) -> Option<Vec<u8>> {
    let width = usize::try_from(types::catalogue_sizes(from).0).ok()?;
    Some(match value {
        Datum::Int(n) => n.to_be_bytes()[8 - width..].to_vec(),
        Datum::Decimal(n) if matches!(from, SqlType::Money | SqlType::SmallMoney) => {
            i64::try_from(*n).ok()?.to_be_bytes()[8 - width..].to_vec()
        }
        #[expect(clippy::cast_possible_truncation, reason = "a real is stored widened")]
        Datum::Float(n) if *from == SqlType::Real => (*n as f32).to_be_bytes().to_vec(),
        Datum::Float(n) => n.to_be_bytes().to_vec(),
        Datum::Guid(bytes) => mixed(bytes).to_vec(),
        Datum::Date(days) => days.to_le_bytes()[..3].to_vec(),
        Datum::DateTime { days, ticks } => [days.to_be_bytes(), ticks.to_be_bytes()].concat(),
        Datum::SmallDateTime { days, minutes } => [days.to_be_bytes(), minutes.to_be_bytes()].concat(),
        _ => return None,
    })
}
