//! Cells of SQL Server → values of Arrow columns; every legacy type has its one T-SQL expression here.
//!
//! Always: exact or refused. Text travels as bytes: the driver would end the whole answer at the first byte that is no character, and
//! money as decimal, since the driver makes it a float. Times come in the type's own grid and are rounded to it.

use std::fmt::Write;

use tiberius::ColumnData;
use tiberius::time::{DateTime, DateTime2, DateTimeOffset, SmallDateTime, Time};

use super::super::decode::{ColumnBuilder, Misfit, Value};
use super::super::{Column, LegacyType};
use super::literal::{collated, quote};

/// Days from 0001-01-01 and from 1900-01-01 to 1970-01-01.
const YEAR_ONE: i64 = 719_162;
const YEAR_1900: i64 = 25_567;
const DAY_MICROS: i64 = 86_400_000_000;
const MINUTE_MICROS: i64 = 60_000_000;

/// How nvarchar travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UnicodeForm {
    /// As UTF-16 in varbinary.
    Bytes,
    /// As the driver decodes it: for servers whose cast gives other bytes.
    Text,
}

/// The T-SQL expression of a column of the table that is called `t`, whose cells [`append`] takes.
pub(super) fn expression(column: &Column, unicode: UnicodeForm) -> String {
    let name = format!("t.{}", quote(&column.name));
    let (declared, _) = collated(&column.declared);
    let (base, length) = match declared.split_once('(') {
        Some((base, rest)) => (base, rest.trim_end_matches(')')),
        None => (declared, ""),
    };
    match (base, unicode) {
        ("money", _) => format!("CAST({name} AS decimal(19,4))"),
        ("smallmoney", _) => format!("CAST({name} AS decimal(10,4))"),
        ("float" | "real", _) => format!("CAST({name} AS float(53))"),
        ("char" | "varchar", _) => format!("CAST({name} AS varbinary({length}))"),
        ("text", _) => format!("CAST(CAST({name} AS varchar(max)) AS varbinary(max))"),
        ("nchar" | "nvarchar", UnicodeForm::Bytes) => {
            let bytes = length.parse::<u32>().map_or_else(|_| "max".to_owned(), |n| (n * 2).to_string());
            format!("CAST({name} AS varbinary({bytes}))")
        }
        ("ntext" | "xml", UnicodeForm::Bytes) => {
            format!("CAST(CAST({name} AS nvarchar(max)) AS varbinary(max))")
        }
        ("hierarchyid", UnicodeForm::Bytes) => {
            format!("CAST(CAST({name} AS nvarchar(4000)) AS varbinary(8000))")
        }
        ("hierarchyid", UnicodeForm::Text) => format!("CAST({name} AS nvarchar(4000))"),
        ("ntext" | "xml", UnicodeForm::Text) => format!("CAST({name} AS nvarchar(max))"),
        ("image", _) => format!("CAST({name} AS varbinary(max))"),
        ("timestamp" | "rowversion", _) => format!("CAST({name} AS binary(8))"),
        _ => name,
    }
}

/// Appends one cell.
pub(super) fn append(
    builder: &mut ColumnBuilder,
    kind: LegacyType,
    cell: &ColumnData<'_>,
) -> Result<(), Misfit> {
    let mut scratch = Vec::new();
    builder.append(value(kind, cell, &mut scratch)?)
}

/// A cell as a value; `scratch` holds what had to be made of it.
pub(super) fn value<'a>(
    kind: LegacyType,
    cell: &'a ColumnData<'_>,
    scratch: &'a mut Vec<u8>,
) -> Result<Value<'a>, Misfit> {
    let integer = |v: Option<i64>| v.map_or(Value::Null, Value::Int);
    let real = |v: Option<f64>| v.map_or(Value::Null, Value::Real);
    Ok(match cell {
        ColumnData::U8(v) => integer(v.map(i64::from)),
        ColumnData::I16(v) => integer(v.map(i64::from)),
        ColumnData::I32(v) => integer(v.map(i64::from)),
        ColumnData::I64(v) => integer(*v),
        ColumnData::Bit(v) => integer(v.map(i64::from)),
        ColumnData::F32(v) => real(v.map(f64::from)),
        ColumnData::F64(v) => real(*v),
        ColumnData::Numeric(v) => v.map_or(Value::Null, |v| Value::Decimal(v.value(), v.scale())),
        ColumnData::String(Some(v)) if kind == LegacyType::Unicode => Value::Bytes(utf16(v, scratch)),
        ColumnData::String(v) => v.as_ref().map_or(Value::Null, |v| Value::Text(v.as_bytes())),
        ColumnData::Binary(None) => Value::Null,
        ColumnData::Binary(Some(v)) => Value::Bytes(v),
        ColumnData::Guid(v) => v.map_or(Value::Null, |v| text(scratch, format_args!("{v:X}"))),
        ColumnData::DateTime(None) | ColumnData::SmallDateTime(None) => Value::Null,
        ColumnData::DateTime(Some(v)) => Value::Micros(datetime(*v)?),
        ColumnData::SmallDateTime(Some(v)) => Value::Micros(smalldatetime(*v)?),
        ColumnData::Date(None) | ColumnData::Time(None) => Value::Null,
        ColumnData::DateTime2(None) | ColumnData::DateTimeOffset(None) => Value::Null,
        ColumnData::Date(Some(v)) => {
            Value::Day(i32::try_from(i64::from(v.days()) - YEAR_ONE).map_err(|_| "a date out of range")?)
        }
        ColumnData::Time(Some(v)) => text(scratch, format_args!("{}", clock(*v)?)),
        ColumnData::DateTime2(Some(v)) if kind == LegacyType::DateTime => Value::Micros(micros(*v)?),
        ColumnData::DateTime2(Some(v)) => text(scratch, format_args!("{}", moment(*v, 0)?)),
        ColumnData::DateTimeOffset(Some(v)) => text(scratch, format_args!("{}", zoned(*v)?)),
        ColumnData::Xml(_) => return Err("a document that was not asked for as text"),
    })
}

fn text<'a>(scratch: &'a mut Vec<u8>, shown: std::fmt::Arguments<'_>) -> Value<'a> {
    scratch.clear();
    scratch.extend_from_slice(shown.to_string().as_bytes());
    Value::Text(scratch)
}

/// Text that the driver decoded, as the UTF-16 that it was.
fn utf16<'a>(text: &str, scratch: &'a mut Vec<u8>) -> &'a [u8] {
    scratch.clear();
    scratch.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    scratch
}

/// The days that a datetime may name, from 1900: those of 1753-01-01 and 9999-12-31; and the 1/300 s and minutes of a day.
const DAYS: std::ops::RangeInclusive<i32> = -53_690..=2_958_463;
const TICKS: u32 = 25_920_000;
const MINUTES: u16 = 1440;

/// 1/300 s is shown, and meant, to the millisecond: .000, .003, .007.
fn datetime(v: DateTime) -> Result<i64, Misfit> {
    if !DAYS.contains(&v.days()) || v.seconds_fragments() >= TICKS {
        return Err("a date out of range");
    }
    let millis = (i64::from(v.seconds_fragments()) * 10 + 1) / 3;
    Ok((i64::from(v.days()) - YEAR_1900) * DAY_MICROS + millis * 1000)
}

fn smalldatetime(v: SmallDateTime) -> Result<i64, Misfit> {
    if v.seconds_fragments() >= MINUTES {
        return Err("a date out of range");
    }
    Ok((i64::from(v.days()) - YEAR_1900) * DAY_MICROS + i64::from(v.seconds_fragments()) * MINUTE_MICROS)
}

/// Units of 100 ns since midnight.
fn hundreds(v: Time) -> Result<u64, Misfit> {
    let by = 7_u32.checked_sub(u32::from(v.scale())).ok_or("a time with too many digits")?;
    let all = v.increments().checked_mul(10_u64.pow(by)).ok_or("a time out of range")?;
    if all < 864_000_000_000 { Ok(all) } else { Err("a time out of range") }
}

fn micros(v: DateTime2) -> Result<i64, Misfit> {
    let hundreds = hundreds(v.time())?;
    if hundreds % 10 != 0 {
        return Err("a time with more digits than its type");
    }
    let days = i64::from(v.date().days()) - YEAR_ONE;
    Ok(days * DAY_MICROS + i64::try_from(hundreds / 10).map_err(|_| "a time out of range")?)
}

/// `hh:mm:ss[.fffffff]` with the digits of the type.
fn clock(v: Time) -> Result<String, Misfit> {
    shown(hundreds(v)?, usize::from(v.scale()))
}

fn shown(hundreds: u64, digits: usize) -> Result<String, Misfit> {
    let seconds = hundreds / 10_000_000;
    let mut out = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if digits > 0 {
        let fraction = format!("{:07}", hundreds % 10_000_000);
        let fraction = fraction.get(..digits).ok_or("a time with too many digits")?;
        let _ = write!(out, ".{fraction}");
    }
    Ok(out)
}

/// `yyyy-mm-dd hh:mm:ss[.fffffff]`, so many minutes later.
fn moment(v: DateTime2, later: i64) -> Result<String, Misfit> {
    const DAY: i64 = 864_000_000_000;
    let within = i64::try_from(hundreds(v.time())?).map_err(|_| "a time out of range")?;
    let all = (i64::from(v.date().days()) - YEAR_ONE) * DAY + within + later * 600_000_000;
    let day = i32::try_from(all.div_euclid(DAY)).map_err(|_| "a date out of range")?;
    let date = chrono::DateTime::from_timestamp(i64::from(day) * 86_400, 0).ok_or("a date out of range")?;
    let within = u64::try_from(all.rem_euclid(DAY)).map_err(|_| "a time out of range")?;
    Ok(format!("{} {}", date.format("%Y-%m-%d"), shown(within, usize::from(v.time().scale()))?))
}

/// In its own zone: `yyyy-mm-dd hh:mm:ss.fffffff +08:00`.
fn zoned(v: DateTimeOffset) -> Result<String, Misfit> {
    let offset = i64::from(v.offset());
    let sign = if offset < 0 { '-' } else { '+' };
    let (hours, minutes) = (offset.abs() / 60, offset.abs() % 60);
    Ok(format!("{} {sign}{hours:02}:{minutes:02}", moment(v.datetime2(), offset)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::any;
    use tiberius::ColumnData;
    use tiberius::time::{Date, DateTime, DateTime2, DateTimeOffset, SmallDateTime, Time};

    use super::super::super::decode::ColumnBuilder;
    use super::super::super::{Column, LegacyType};
    use super::{append, clock, datetime, micros, zoned};

    #[test]
    fn a_three_hundredth_of_a_second_is_the_millisecond_that_was_meant() {
        let midnight = -25_567 * 86_400_000_000;
        for (ticks, micros) in [(0, 0), (1, 3_000), (2, 7_000), (3, 10_000), (299, 997_000), (300, 1_000_000)]
        {
            assert_eq!(datetime(DateTime::new(0, ticks)), Ok(midnight + micros), "{ticks}");
        }
        // 9999-12-31 23:59:59.997 and 1753-01-01.
        assert_eq!(datetime(DateTime::new(2_958_463, 25_919_999)), Ok(253_402_300_799_997_000));
        assert_eq!(datetime(DateTime::new(-53_690, 0)), Ok(-6_847_804_800_000_000));
    }

    #[test]
    fn a_cell_of_any_value_is_read_or_refused() {
        let cases = crate::source::fuzz_cases(500);
        let config = proptest::test_runner::Config { cases, failure_persistence: None, ..Default::default() };
        let of = (any::<u8>(), any::<i64>(), any::<u32>(), any::<u8>(), any::<Vec<u8>>());
        let ran =
            proptest::test_runner::TestRunner::new(config).run(&of, |(which, long, number, scale, bytes)| {
                let time = Time::new(long.unsigned_abs(), scale);
                let date = Date::new(number & 0x00ff_ffff);
                let moment = DateTime2::new(date, time);
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let cell = match which % 10 {
                    0 => ColumnData::DateTime(Some(DateTime::new(long as i32, number))),
                    1 => ColumnData::SmallDateTime(Some(SmallDateTime::new(long as u16, number as u16))),
                    2 => ColumnData::Time(Some(time)),
                    3 => ColumnData::Date(Some(date)),
                    4 => ColumnData::DateTime2(Some(moment)),
                    5 => ColumnData::DateTimeOffset(Some(DateTimeOffset::new(moment, long as i16))),
                    6 => ColumnData::String(Some(text.into())),
                    7 => ColumnData::Binary(Some(bytes.into())),
                    8 => ColumnData::F64(Some(f64::from_bits(long as u64))),
                    _ => ColumnData::I64(Some(long)),
                };
                for kind in [LegacyType::DateTime, LegacyType::Date, LegacyType::Unicode, LegacyType::Int] {
                    let column = Column { kind: Some(kind), ..Column::default() };
                    let _ = append(&mut ColumnBuilder::new(&column, kind), kind, &cell);
                }
                Ok(())
            });
        ran.unwrap();
        println!("fuzz tds {cases}");
    }

    #[test]
    fn neighbours_of_a_hundred_nanoseconds_stay_apart() {
        let at = |increments| DateTime2::new(Date::new(0), Time::new(increments, 7));
        assert!(micros(at(1)).is_err());
        assert_eq!(micros(at(10)).unwrap(), -62_135_596_800_000_000 + 1);
        assert_eq!(clock(Time::new(863_999_999_999, 7)).unwrap(), "23:59:59.9999999");
        assert_eq!(clock(Time::new(86_399, 0)).unwrap(), "23:59:59");
        assert!(clock(Time::new(864_000_000_000, 7)).is_err());
        // 16:00 in UTC is midnight in China.
        let at = DateTime2::new(Date::new(730_119), Time::new(576_000_000_001, 7));
        assert_eq!(zoned(DateTimeOffset::new(at, 480)).unwrap(), "2000-01-02 00:00:00.0000001 +08:00");
    }
}
