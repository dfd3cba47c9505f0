//! What a raw column may hold, and which readings it can be given to: the one table of raw types (FORMS 1, 2).
//!
//! Always: every pair of a raw type and a reading is either read or refused with a reason, here; a new type or reading does not
//! compile before it is decided about. A time with zone is the wall clock of its zone before it is anything else.
//! Must not know: mapping files.

use std::borrow::Cow;
use std::fmt::Write;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float64Array,
    Int64Array, StringArray, TimestampMicrosecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Field, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use chrono::{DateTime, FixedOffset, NaiveDateTime, Offset, TimeZone};
use chrono_tz::Tz;
use datafusion::common::{Result, exec_err};

use super::date::{date_from, time_of_day};
use super::money::{self, Exact};
use super::read::Read;
use crate::encoding::TIME_ZONE_KEY;
use crate::phrase;

/// Microseconds of a day.
pub(super) const DAY: i64 = 86_400_000_000;

/// What a raw column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RawKind {
    /// A whole number.
    Whole,
    /// true or false.
    Bit,
    Decimal,
    Float,
    Text,
    /// A calendar day.
    Day,
    /// A time without a zone.
    Moment,
    /// A time with a zone.
    Instant,
    /// No text: images, documents.
    Bytes,
}

impl RawKind {
    /// What a column of that Arrow type holds; `None` for a type that raw does not have.
    pub fn of(found: &DataType) -> Option<Self> {
        Some(match found {
            DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => Self::Whole,
            DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => Self::Whole,
            DataType::Boolean => Self::Bit,
            DataType::Decimal128(_, _) => Self::Decimal,
            DataType::Float64 => Self::Float,
            DataType::Utf8 => Self::Text,
            DataType::Date32 => Self::Day,
            DataType::Timestamp(TimeUnit::Microsecond, None) => Self::Moment,
            DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => Self::Instant,
            DataType::Binary => Self::Bytes,
            _ => return None,
        })
    }

    /// In an error about a column.
    fn says(self) -> String {
        match self {
            Self::Whole => phrase!("mapping.raw_whole"),
            Self::Bit => phrase!("mapping.raw_bit"),
            Self::Decimal | Self::Float => phrase!("mapping.raw_number"),
            Self::Text => phrase!("mapping.raw_text"),
            Self::Day => phrase!("mapping.raw_date"),
            Self::Moment => phrase!("mapping.raw_time"),
            Self::Instant => phrase!("mapping.raw_instant"),
            Self::Bytes => phrase!("mapping.raw_bytes"),
        }
    }

    /// Whether a reading is defined on it: the table.
    fn reads_as(self, read: &Read) -> bool {
        use RawKind::{Bit, Bytes, Day, Decimal, Float, Instant, Moment, Text, Whole};
        match read {
            Read::Text { .. } => match self {
                Whole | Bit | Decimal | Float | Text | Day | Moment | Instant => true,
                Bytes => false,
            },
            Read::Code(_) => match self {
                Whole | Bit | Decimal | Float | Text => true,
                Day | Moment | Instant | Bytes => false,
            },
            // 19850301 and 198503 as numbers; times drop the hour.
            Read::Date { .. } | Read::Period { .. } | Read::Time => match self {
                Whole | Decimal | Float | Text | Day | Moment | Instant => true,
                Bit | Bytes => false,
            },
            Read::Int => match self {
                Whole | Bit | Decimal | Float | Text => true,
                Day | Moment | Instant | Bytes => false,
            },
            Read::Money(_) | Read::Rate { .. } => match self {
                Whole | Decimal | Float | Text => true,
                Bit | Day | Moment | Instant | Bytes => false,
            },
        }
    }
}

/// Why a raw column cannot be read so; `None`: it can. `found` is the Arrow type of the column in raw.
pub fn refusal(read: &Read, found: &DataType) -> Option<String> {
    let Some(kind) = RawKind::of(found) else { return Some(phrase!("mapping.raw_type", found)) };
    if let DataType::Timestamp(_, Some(zone)) = found
        && Zone::named(zone).is_none()
    {
        return Some(phrase!("mapping.no_zone", zone));
    }
    (!kind.reads_as(read)).then(|| phrase!("mapping.not_read_as", found = kind.says(), wanted = read.name()))
}

/// The zone that a raw field says its values are to be shown in.
pub fn zone_of(field: &Field) -> Option<Zone> {
    let own = match field.data_type() {
        DataType::Timestamp(_, Some(zone)) => Zone::named(zone),
        _ => None,
    };
    own.or_else(|| field.metadata().get(TIME_ZONE_KEY).and_then(|zone| Zone::named(zone)))
}

/// A time zone by its rules (`Asia/Shanghai`) or its distance (`+08:00`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    Named(Tz),
    Fixed(FixedOffset),
}

impl Zone {
    /// The zone of that name.
    pub fn named(name: &str) -> Option<Self> {
        let fixed = || name.parse::<FixedOffset>().ok().map(Self::Fixed);
        name.parse::<Tz>().ok().map(Self::Named).or_else(fixed)
    }

    /// Seconds that the wall clock is ahead of UTC at an instant.
    fn ahead(self, utc: &NaiveDateTime) -> i32 {
        match self {
            Self::Named(zone) => zone.offset_from_utc_datetime(utc).fix().local_minus_utc(),
            Self::Fixed(offset) => offset.local_minus_utc(),
        }
    }

    /// The wall clock at an instant, and how far ahead of UTC it is, both in microseconds and seconds; `None` far outside the calendar.
    fn wall(self, micros: i64) -> Option<(i64, i32)> {
        let utc = DateTime::from_timestamp_micros(micros)?.naive_utc();
        let ahead = self.ahead(&utc);
        Some((micros.checked_add(i64::from(ahead) * 1_000_000)?, ahead))
    }
}

/// `1985-03-01 00:00:00.5 +08:00` as microseconds since 1970 UTC, as servers write a time with its distance from UTC.
fn instant(text: &str) -> Option<i64> {
    let text = text.trim();
    let at = text.rfind(['+', '-', 'Z']).filter(|at| *at > "1985-03-01".len())?;
    let (wall, offset) = (text[..at].trim_end(), &text[at..]);
    let seconds = match offset {
        "Z" => 0,
        _ if offset.len() == 3 => format!("{offset}:00").parse::<FixedOffset>().ok()?.local_minus_utc(),
        _ => offset.parse::<FixedOffset>().ok()?.local_minus_utc(),
    };
    let (day, clock) = wall.split_once([' ', 'T'])?;
    let day = chrono::NaiveDate::parse_from_str(day, "%Y-%m-%d").ok()?;
    let micros = i64::from(super::date::days(day)) * DAY + time_of_day(clock)?;
    micros.checked_sub(i64::from(seconds) * 1_000_000)
}

enum Values {
    Text(StringArray),
    Whole(Int64Array),
    Bit(BooleanArray),
    Decimal(Decimal128Array, i32),
    Float(Float64Array),
    Day(Date32Array),
    Moment(TimestampMicrosecondArray),
}

/// A raw column, readable by row.
pub(super) struct Raw {
    values: Values,
    bytes: Option<BinaryArray>,
    zone: Option<Zone>,
}

/// One value of a raw column.
#[derive(Debug)]
pub(super) enum Cell<'a> {
    Null,
    Text(Cow<'a, str>),
    Number(Exact),
    Float(f64),
    /// Days since 1970-01-01.
    Day(i32),
    /// Wall clock, microseconds since 1970-01-01; with a zone, how many seconds it is ahead of UTC.
    Moment(i64, Option<i32>),
    /// What does not fit the column's type, as the source wrote it.
    Loose(Cow<'a, [u8]>),
    /// Text in no encoding that it could be in.
    Undecodable(&'a [u8]),
}

impl Raw {
    /// A column with its companion; `zone` is that of its wall clock.
    pub(super) fn new(column: &ArrayRef, bytes: Option<BinaryArray>, zone: Option<Zone>) -> Result<Self> {
        let Some(kind) = RawKind::of(column.data_type()) else {
            return exec_err!("a raw column of type {} cannot be read", column.data_type());
        };
        let values = match kind {
            RawKind::Text => Values::Text(column.as_string::<i32>().clone()),
            RawKind::Whole => {
                Values::Whole(cast(column, &DataType::Int64)?.as_primitive::<Int64Type>().clone())
            }
            RawKind::Bit => Values::Bit(column.as_boolean().clone()),
            RawKind::Decimal => {
                let numbers = column.as_primitive::<Decimal128Type>().clone();
                let scale = i32::from(numbers.scale());
                Values::Decimal(numbers, scale)
            }
            RawKind::Float => Values::Float(column.as_primitive::<Float64Type>().clone()),
            RawKind::Day => Values::Day(column.as_primitive::<Date32Type>().clone()),
            RawKind::Moment | RawKind::Instant => {
                Values::Moment(column.as_primitive::<TimestampMicrosecondType>().clone())
            }
            RawKind::Bytes => return exec_err!("a raw column of bytes cannot be read"),
        };
        // The wall clock of a time without zone is what it says.
        let zone = zone.filter(|_| matches!(kind, RawKind::Instant | RawKind::Text));
        Ok(Self { values, bytes, zone })
    }

    /// Bytes of all the text in it.
    pub(super) fn text_bytes(&self) -> usize {
        match &self.values {
            Values::Text(text) => text.value_data().len(),
            Values::Whole(_) | Values::Bit(_) | Values::Decimal(_, _) | Values::Float(_) => 0,
            Values::Day(_) | Values::Moment(_) => 0,
        }
    }

    /// True where a value of its own type stands.
    fn holds(&self, row: usize) -> bool {
        match &self.values {
            Values::Text(a) => a.is_valid(row),
            Values::Whole(a) => a.is_valid(row),
            Values::Bit(a) => a.is_valid(row),
            Values::Decimal(a, _) => a.is_valid(row),
            Values::Float(a) => a.is_valid(row),
            Values::Day(a) => a.is_valid(row),
            Values::Moment(a) => a.is_valid(row),
        }
    }

    /// The value of a row; bytes of text are decoded by `decode`.
    pub(super) fn cell<'a>(
        &'a self,
        row: usize,
        decode: impl Fn(&'a [u8]) -> Option<Cow<'a, str>>,
    ) -> Cell<'a> {
        if !self.holds(row) {
            let Some(bytes) = self.bytes.as_ref().filter(|b| b.is_valid(row)) else { return Cell::Null };
            let bytes = bytes.value(row);
            return match &self.values {
                Values::Text(_) => {
                    decode(bytes).map_or(Cell::Undecodable(bytes), |t| self.spelled_instant(t))
                }
                Values::Whole(_) | Values::Bit(_) | Values::Decimal(_, _) | Values::Float(_) => {
                    Cell::Loose(Cow::Borrowed(bytes))
                }
                Values::Day(_) | Values::Moment(_) => Cell::Loose(Cow::Borrowed(bytes)),
            };
        }
        match &self.values {
            Values::Text(a) => self.spelled_instant(Cow::Borrowed(a.value(row))),
            Values::Whole(a) => Cell::Number(Exact { unscaled: i128::from(a.value(row)), scale: 0 }),
            Values::Bit(a) => Cell::Number(Exact { unscaled: i128::from(a.value(row)), scale: 0 }),
            Values::Decimal(a, scale) => Cell::Number(Exact { unscaled: a.value(row), scale: *scale }),
            Values::Float(a) => float(a.value(row)),
            Values::Day(a) => day(a.value(row)),
            Values::Moment(a) => self.moment(a.value(row)),
        }
    }

    fn spelled_instant<'a>(&self, text: Cow<'a, str>) -> Cell<'a> {
        let found = self.zone.and_then(|zone| zone.wall(instant(&text)?));
        found.map_or(Cell::Text(text), |(wall, ahead)| Cell::Moment(wall, Some(ahead)))
    }

    fn moment(&self, micros: i64) -> Cell<'static> {
        let wall = match self.zone {
            None => Some((micros, None)),
            Some(zone) => zone.wall(micros).map(|(wall, ahead)| (wall, Some(ahead))),
        };
        let in_calendar = wall.filter(|(wall, _)| moment_text(*wall).is_some());
        in_calendar.map_or_else(|| loose(&micros), |(wall, ahead)| Cell::Moment(wall, ahead))
    }
}

fn loose(value: &impl ToString) -> Cell<'static> {
    Cell::Loose(Cow::Owned(value.to_string().into_bytes()))
}

fn float(value: f64) -> Cell<'static> {
    if value.is_finite() {
        return Cell::Float(value);
    }
    match (value.is_nan(), value.is_sign_negative()) {
        (true, _) => loose(&"NaN"),
        (false, false) => loose(&"Infinity"),
        (false, true) => loose(&"-Infinity"),
    }
}

fn day(days: i32) -> Cell<'static> {
    if date_from(days).is_some() { Cell::Day(days) } else { loose(&days) }
}

fn moment_text(micros: i64) -> Option<String> {
    let day = date_from(i32::try_from(micros.div_euclid(DAY)).ok()?)?;
    let rest = micros.rem_euclid(DAY);
    if rest == 0 {
        return Some(day.to_string());
    }
    let (seconds, fraction) = (rest / 1_000_000, rest % 1_000_000);
    let (h, m, s) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let tail = if fraction == 0 {
        String::new()
    } else {
        format!(".{fraction:06}").trim_end_matches('0').to_owned()
    };
    Some(format!("{day} {h:02}:{m:02}:{s:02}{tail}"))
}

/// An exact number in digits: `-12.30`; a negative scale in full (`12300`).
fn number_text(exact: Exact) -> String {
    let digits = exact.unscaled.unsigned_abs().to_string();
    let sign = if exact.unscaled < 0 { "-" } else { "" };
    match usize::try_from(exact.scale) {
        Err(_) if exact.unscaled == 0 => digits,
        Err(_) => format!("{sign}{digits}{}", "0".repeat(exact.scale.unsigned_abs() as usize)),
        Ok(0) => format!("{sign}{digits}"),
        Ok(scale) => {
            let padded = format!("{digits:0>width$}", width = scale + 1);
            let (whole, rest) = padded.split_at(padded.len() - scale);
            format!("{sign}{whole}.{rest}")
        }
    }
}

impl Cell<'_> {
    /// The value as people would write it: integers and decimals in digits, bits 0 and 1, times `1985-03-01 08:00:00.5`, whole days
    /// `1985-03-01`; `None` for NULL and for what is no text.
    pub(super) fn spelled(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Null | Self::Undecodable(_) => None,
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Number(exact) => Some(Cow::Owned(number_text(*exact))),
            Self::Float(value) => Some(Cow::Owned(value.to_string())),
            Self::Day(days) => date_from(*days).map(|d| Cow::Owned(d.to_string())),
            Self::Moment(micros, _) => moment_text(*micros).map(Cow::Owned),
            Self::Loose(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        }
    }

    /// As in a key: a time with zone says its distance from UTC, so that the two one o'clocks of a night in autumn differ.
    pub(super) fn in_key(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Moment(micros, Some(ahead)) => {
                let mut text = moment_text(*micros)?;
                if !text.contains(':') {
                    text.push_str(" 00:00:00");
                }
                let minutes = ahead / 60;
                let sign = if minutes < 0 { '-' } else { '+' };
                // Writing into a String cannot fail.
                let _ = write!(text, "{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60);
                Some(Cow::Owned(text))
            }
            Self::Undecodable(bytes) => Some(Cow::Owned(format!("x'{}'", crate::durable::hex(bytes)))),
            other => other.spelled(),
        }
    }

    /// The bytes that a read error keeps.
    pub(super) fn kept(&self) -> Vec<u8> {
        match self {
            Self::Undecodable(bytes) => bytes.to_vec(),
            Self::Loose(bytes) => bytes.to_vec(),
            // Not three hundred digits.
            Self::Float(value) if value.abs() >= 1e18 => format!("{value:e}").into_bytes(),
            other => other.spelled().map(|t| t.into_owned().into_bytes()).unwrap_or_default(),
        }
    }

    /// The digits of a whole number, however it is stored (19850301.00 too); text as it stands, also where it lies beside a column of
    /// dates or times: SQLite lets anything stand there.
    pub(super) fn digits(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Number(exact) => exact.whole().map(|w| Cow::Owned(w.to_string())),
            Self::Float(value) => Some(Cow::Owned(money::exact_float(*value)?.whole()?.to_string())),
            Self::Loose(bytes) => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Self::Null | Self::Day(_) | Self::Moment(_, _) | Self::Undecodable(_) => None,
        }
    }

    /// The exact number that it is, or that its text says; text also where it lies beside a column of numbers.
    pub(super) fn number(&self) -> Option<Exact> {
        match self {
            Self::Text(text) => money::exact(text),
            Self::Number(exact) => Some(*exact),
            Self::Float(value) => money::exact_float(*value),
            Self::Loose(bytes) => money::exact(std::str::from_utf8(bytes).ok()?),
            Self::Null | Self::Day(_) | Self::Moment(_, _) | Self::Undecodable(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::{Cell, Exact, Zone, instant, moment_text, number_text};

    #[test]
    fn what_lies_beside_its_column_is_read_by_the_forms_of_the_mapping() {
        let beside = |bytes: &'static [u8]| Cell::Loose(Cow::Borrowed(bytes));
        assert_eq!(beside(b"19850301").digits().as_deref(), Some("19850301"));
        assert_eq!(beside(b"\xFF").digits(), None);
        assert_eq!(beside(b"1,234.50").number(), Some(Exact { unscaled: 123_450, scale: 2 }));
        assert_eq!(beside(b"1,23.4").number(), None);
    }

    #[test]
    fn shanghai_has_its_summers() {
        let zone = Zone::named("Asia/Shanghai").unwrap();
        for (utc, wall) in [
            ("1985-02-28 16:00:00+00", "1985-03-01"),
            ("1988-07-14 15:00:00+00", "1988-07-15"),
            ("1988-04-16 15:59:00+00", "1988-04-16 23:59:00"),
            ("2020-01-31 18:00:00+00", "2020-02-01 02:00:00"),
            ("2020-01-31T18:00:00.5Z", "2020-02-01 02:00:00.5"),
            ("1985-03-01 00:00:00.0000000 +08:00", "1985-03-01"),
        ] {
            let (micros, _) = zone.wall(instant(utc).unwrap()).unwrap();
            assert_eq!(moment_text(micros).unwrap(), wall, "{utc}");
        }
        for none in ["1985-03-01", "1985-03-01 00:00:00", "no time + at all", "0044-01-01 BC"] {
            assert_eq!(instant(none), None, "{none}");
        }
    }

    #[test]
    fn numbers_are_spelled_in_full() {
        for (unscaled, scale, text) in [
            (1230, 2, "12.30"),
            (-5, 2, "-0.05"),
            (123, -2, "12300"),
            (0, -2, "0"),
            (7, 0, "7"),
            (0, 1, "0.0"),
        ] {
            assert_eq!(number_text(Exact { unscaled, scale }), text);
        }
    }
}
