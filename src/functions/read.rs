//! Readers: one raw legacy column → a typed value, or NULL and a read error (FORMS 2, layer 1).
//!
//! Always: a value that is no null token and cannot be decoded, parsed or translated becomes NULL and a read error with its bytes; read errors
//! arise nowhere else. A reader gives a struct {value, read error, code[, shift]}: `read error` the bytes, `code` what failed, `shift` (money) what
//! rounding to fen changed, in 10⁻⁴ yuan.
//! Must not know: mapping files, and which raw types there are (raw.rs).

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryBuilder, Date32Builder, Decimal128Builder, Int32Builder, Int64Builder,
    StringBuilder, StructArray, TimestampMicrosecondBuilder, new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields, TimeUnit};
use datafusion::common::Result;
use datafusion::logical_expr::ScalarUDF;

use super::code::CodeList;
use super::date::{Century, DateForm, time_of_day};
use super::money::{self, Exact, MONEY, Unit};
use super::period::{self, PeriodForm};
use super::raw::{Cell, DAY, Raw, Zone};
use super::scalar::{Call, Scalar, Takes};
use super::text::padded;
use super::{date, key};
use crate::encoding::TextEncoding;

/// The largest absolute value of a rate, unscaled: Decimal128(8, s).
const RATE_LIMIT: i128 = 10_i128.pow(8) - 1;

/// How a legacy column is written.
#[derive(Debug, Clone, PartialEq)]
pub enum Read {
    /// Trailing spaces trimmed; a number shorter than `pad` gets its leading zeros back.
    Text {
        pad: Option<usize>,
    },
    Date {
        century: Century,
        forms: Vec<DateForm>,
    },
    Period {
        forms: Vec<PeriodForm>,
    },
    Int,
    Money(Unit),
    /// As so many of 10^`places`: of a hundred, 8.00 is 0.08.
    Rate {
        places: u8,
        scale: i8,
    },
    Time,
    Code(Arc<CodeList>),
}

impl Read {
    /// The type of the typed column.
    pub fn gives(&self) -> DataType {
        match self {
            Self::Text { .. } | Self::Code(_) => DataType::Utf8,
            Self::Date { .. } => DataType::Date32,
            Self::Period { .. } => DataType::Int32,
            Self::Int => DataType::Int64,
            Self::Money(_) => MONEY,
            Self::Rate { scale, .. } => DataType::Decimal128(8, *scale),
            Self::Time => DataType::Timestamp(TimeUnit::Microsecond, None),
        }
    }

    /// As `parse` spells it; the code of its read errors.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Text { .. } => "text",
            Self::Date { .. } => "date",
            Self::Period { .. } => "period",
            Self::Int => "int",
            Self::Money(_) => "money",
            Self::Rate { .. } => "rate",
            Self::Time => "time",
            Self::Code(_) => "code",
        }
    }
}

/// Private-use code points → the characters they stood for in the city's fonts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Font(pub HashMap<char, char>);

impl Font {
    fn apply(&self, text: &str) -> String {
        text.chars().map(|c| self.0.get(&c).copied().unwrap_or(c)).collect()
    }
}

/// What counts as NULL, compared after trimming.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NullTokens {
    tokens: Vec<String>,
    longest: usize,
    /// Whether a number or a time can be one.
    digits: bool,
}

impl NullTokens {
    /// Collects tokens; each is trimmed.
    pub fn new<'a>(tokens: impl IntoIterator<Item = &'a str>) -> Self {
        let mut tokens: Vec<String> = tokens.into_iter().map(|t| t.trim().to_owned()).collect();
        tokens.sort();
        tokens.dedup();
        let longest = tokens.iter().map(String::len).max().unwrap_or(0);
        let digits = tokens.iter().any(|t| t.bytes().any(|b| b.is_ascii_digit()));
        Self { tokens, longest, digits }
    }

    /// Whether a value counts as NULL.
    pub fn holds(&self, text: &str) -> bool {
        let text = text.trim();
        text.len() <= self.longest && self.tokens.iter().any(|t| t == text)
    }

    /// Whether the value of a cell counts as NULL; a number also by its digits alone (`0` is 0.00).
    fn hold(&self, cell: &Cell<'_>) -> bool {
        match cell {
            Cell::Text(text) => self.holds(text),
            Cell::Null | Cell::Undecodable(_) => false,
            Cell::Loose(_) => cell.spelled().is_some_and(|t| self.holds(&t)),
            Cell::Number(_) | Cell::Float(_) | Cell::Day(_) | Cell::Moment(_, _) => {
                let held = |text: Option<Cow<'_, str>>| text.is_some_and(|t| self.holds(&t));
                self.digits && (held(cell.spelled()) || held(cell.digits()))
            }
        }
    }
}

/// One reading of one legacy column.
#[derive(Debug, Clone)]
pub struct Reader {
    /// The layer-1 column; part of the function's name.
    pub column: String,
    pub read: Read,
    pub nulls: NullTokens,
    pub font: Arc<Font>,
    /// Of the bytes that raw could not keep in the column's own type.
    pub encoding: TextEncoding,
    /// Of the wall clock that times with a zone become.
    pub zone: Option<Zone>,
}

/// Read errors of a batch: row, what failed, bytes.
#[derive(Default)]
struct ReadErrors(Vec<(usize, &'static str, Vec<u8>)>);

impl ReadErrors {
    fn finish(self, rows: usize) -> [ArrayRef; 2] {
        if self.0.is_empty() {
            return [new_null_array(&DataType::Binary, rows), new_null_array(&DataType::Utf8, rows)];
        }
        let (mut bytes, mut codes, mut next) = (BinaryBuilder::new(), StringBuilder::new(), 0);
        for (row, code, value) in self.0 {
            bytes.append_nulls(row - next);
            codes.append_nulls(row - next);
            bytes.append_value(value);
            codes.append_value(code);
            next = row + 1;
        }
        bytes.append_nulls(rows - next);
        codes.append_nulls(rows - next);
        [Arc::new(bytes.finish()), Arc::new(codes.finish())]
    }
}

fn fields(read: &Read) -> Fields {
    let mut fields = vec![
        Field::new("value", read.gives(), true),
        Field::new("read_error", DataType::Binary, true),
        Field::new("code", DataType::Utf8, true),
    ];
    if matches!(read, Read::Money(_)) {
        fields.push(Field::new("shift", DataType::Int64, true));
    }
    Fields::from(fields)
}

fn raw(call: &Call, zone: Option<Zone>) -> Result<Raw> {
    let bytes = match call.args.len() {
        1 => None,
        _ => Some(cast(&call.array(1)?, &DataType::Binary)?.as_binary::<i32>().clone()),
    };
    Raw::new(&call.array(0)?, bytes, zone)
}

impl Reader {
    /// Bytes as text, with the city's characters in place of private ones. Of bytes that are whole text in two encodings nobody can say
    /// which was meant: they stay bytes.
    fn decoded<'a>(&self, bytes: &'a [u8]) -> Option<Cow<'a, str>> {
        let text = self.encoding.decode(bytes).filter(|_| !self.encoding.ambiguous(bytes));
        text.map(|text| Cow::Owned(self.font.apply(&text)))
    }

    /// Walks the rows: `parse` says what a value is, if it is one; `done` hears of every row.
    fn each_cell<T>(
        &self,
        call: &Call,
        parse: impl Fn(&Cell<'_>) -> Option<T>,
        mut done: impl FnMut(Option<T>),
    ) -> Result<ReadErrors> {
        let raw = raw(call, self.zone)?;
        let mut read_errors = ReadErrors::default();
        for row in 0..call.rows {
            let cell = raw.cell(row, |bytes| self.decoded(bytes));
            let value = match &cell {
                Cell::Null => None,
                Cell::Undecodable(bytes) => {
                    read_errors.0.push((row, "bytes", bytes.to_vec()));
                    None
                }
                _ if self.nulls.hold(&cell) => None,
                _ => {
                    let value = parse(&cell);
                    if value.is_none() {
                        read_errors.0.push((row, self.read.name(), cell.kept()));
                    }
                    value
                }
            };
            done(value);
        }
        Ok(read_errors)
    }

    fn text(&self, call: &Call, pad: Option<usize>) -> Result<(ArrayRef, ReadErrors)> {
        let raw = raw(call, self.zone)?;
        let mut out = StringBuilder::with_capacity(call.rows, raw.text_bytes());
        let mut read_errors = ReadErrors::default();
        for row in 0..call.rows {
            let cell = raw.cell(row, |bytes| self.decoded(bytes));
            match &cell {
                Cell::Null => out.append_null(),
                Cell::Undecodable(bytes) => {
                    read_errors.0.push((row, "bytes", bytes.to_vec()));
                    out.append_null();
                }
                _ if self.nulls.hold(&cell) => out.append_null(),
                Cell::Loose(_) => {
                    read_errors.0.push((row, self.read.name(), cell.kept()));
                    out.append_null();
                }
                Cell::Text(_) | Cell::Number(_) | Cell::Float(_) | Cell::Day(_) | Cell::Moment(_, _) => {
                    let text = cell.spelled().unwrap_or_default();
                    let text = text.trim_end_matches(' ');
                    match pad {
                        Some(width) => out.append_value(padded(text, width)),
                        None => out.append_value(text),
                    }
                }
            }
        }
        Ok((Arc::new(out.finish()), read_errors))
    }

    /// A code list is asked before the null tokens.
    fn code(&self, call: &Call, list: &CodeList) -> Result<(ArrayRef, ReadErrors)> {
        let raw = raw(call, self.zone)?;
        let mut out = StringBuilder::with_capacity(call.rows, call.rows * 3);
        let mut read_errors = ReadErrors::default();
        for row in 0..call.rows {
            let cell = raw.cell(row, |bytes| self.decoded(bytes));
            let translated = match &cell {
                Cell::Null | Cell::Undecodable(_) | Cell::Loose(_) => None,
                Cell::Text(_) | Cell::Number(_) | Cell::Float(_) | Cell::Day(_) | Cell::Moment(_, _) => {
                    cell.spelled().and_then(|text| list.translate(&text))
                }
            };
            match (&cell, translated) {
                (_, Some(code)) => out.append_option(code),
                (Cell::Null, None) => out.append_null(),
                (_, None) => {
                    if let Cell::Undecodable(bytes) = &cell {
                        read_errors.0.push((row, "bytes", bytes.to_vec()));
                    } else if !self.nulls.hold(&cell) {
                        read_errors.0.push((row, self.read.name(), cell.kept()));
                    }
                    out.append_null();
                }
            }
        }
        Ok((Arc::new(out.finish()), read_errors))
    }

    fn date(&self, call: &Call, century: Century, forms: &[DateForm]) -> Result<(ArrayRef, ReadErrors)> {
        let mut out = Date32Builder::with_capacity(call.rows);
        let parse = |cell: &Cell<'_>| match whole_day(cell) {
            Some(day) => date::known(day).map(date::days),
            None => date::parse(&cell.digits()?, century, forms),
        };
        let read_errors = self.each_cell(call, parse, |v| out.append_option(v))?;
        Ok((Arc::new(out.finish()), read_errors))
    }

    fn period(&self, call: &Call, forms: &[PeriodForm]) -> Result<(ArrayRef, ReadErrors)> {
        let mut out = Int32Builder::with_capacity(call.rows);
        let parse = |cell: &Cell<'_>| match whole_day(cell) {
            Some(day) => period::of_day(day),
            None => period::parse(&cell.digits()?, forms),
        };
        let read_errors = self.each_cell(call, parse, |v| out.append_option(v))?;
        Ok((Arc::new(out.finish()), read_errors))
    }

    fn time(&self, call: &Call) -> Result<(ArrayRef, ReadErrors)> {
        let mut out = TimestampMicrosecondBuilder::with_capacity(call.rows);
        let parse = |cell: &Cell<'_>| match (cell, whole_day(cell)) {
            (Cell::Moment(micros, _), Some(day)) => date::known(day).map(|_| *micros),
            (_, Some(day)) => date::known(day).map(|_| i64::from(day) * DAY),
            (_, None) => parse_time(&cell.digits()?),
        };
        let read_errors = self.each_cell(call, parse, |v| out.append_option(v))?;
        Ok((Arc::new(out.finish()), read_errors))
    }

    fn int(&self, call: &Call) -> Result<(ArrayRef, ReadErrors)> {
        let column = call.array(0)?;
        if column.data_type().is_integer() && !self.nulls.digits && call.args.len() == 1 {
            return Ok((cast(&column, &DataType::Int64)?, ReadErrors::default()));
        }
        let mut out = Int64Builder::with_capacity(call.rows);
        let parse = |cell: &Cell<'_>| i64::try_from(cell.number()?.whole()?).ok();
        let read_errors = self.each_cell(call, parse, |v| out.append_option(v))?;
        Ok((Arc::new(out.finish()), read_errors))
    }

    fn money(&self, call: &Call, unit: Unit) -> Result<Vec<ArrayRef>> {
        let mut out = Decimal128Builder::with_capacity(call.rows).with_data_type(MONEY);
        let mut shifts = Int64Builder::with_capacity(call.rows);
        let parse = |cell: &Cell<'_>| {
            if let Cell::Loose(bytes) = cell {
                return Some((money::kept_fen(bytes, unit)?, None));
            }
            let amount = money::amount(cell.number()?, unit)?;
            let shift = match (cell, unit) {
                (Cell::Float(value), Unit::Yuan) => money::float_shift(amount.fen, *value),
                _ => Some(amount.shift),
            };
            Some((amount.fen, shift))
        };
        let read_errors = self.each_cell(call, parse, |value| {
            out.append_option(value.map(|(fen, _)| fen));
            shifts.append_option(value.and_then(|(_, shift)| shift).filter(|s| *s != 0));
        })?;
        let [bytes, codes] = read_errors.finish(call.rows);
        Ok(vec![Arc::new(out.finish()), bytes, codes, Arc::new(shifts.finish())])
    }

    fn rate(&self, call: &Call, places: u8, scale: i8) -> Result<(ArrayRef, ReadErrors)> {
        let mut out = Decimal128Builder::with_capacity(call.rows).with_data_type(self.read.gives());
        let parse = |cell: &Cell<'_>| {
            let exact = cell.number()?;
            let fraction = Exact { scale: exact.scale + i32::from(places), ..exact };
            let rate = match cell {
                // What does not fit its column is read exactly, or not at all.
                Cell::Loose(_) => Exact { scale: fraction.scale - i32::from(scale), ..fraction }.whole(),
                _ => fraction.rounded(i32::from(scale)),
            };
            rate.filter(|r| r.abs() <= RATE_LIMIT)
        };
        let read_errors = self.each_cell(call, parse, |v| out.append_option(v))?;
        Ok((Arc::new(out.finish()), read_errors))
    }

    fn columns(&self, call: &Call) -> Result<Vec<ArrayRef>> {
        let (value, read_errors) = match &self.read {
            Read::Text { pad } => self.text(call, *pad)?,
            Read::Date { century, forms } => self.date(call, *century, forms)?,
            Read::Period { forms } => self.period(call, forms)?,
            Read::Int => self.int(call)?,
            Read::Money(unit) => return self.money(call, *unit),
            Read::Rate { places, scale } => self.rate(call, *places, *scale)?,
            Read::Time => self.time(call)?,
            Read::Code(list) => self.code(call, list)?,
        };
        let [bytes, codes] = read_errors.finish(call.rows);
        Ok(vec![value, bytes, codes])
    }
}

/// The calendar day of a date or a time.
fn whole_day(cell: &Cell<'_>) -> Option<i32> {
    match cell {
        Cell::Day(day) => Some(*day),
        Cell::Moment(micros, _) => i32::try_from(micros.div_euclid(DAY)).ok(),
        Cell::Null
        | Cell::Text(_)
        | Cell::Number(_)
        | Cell::Float(_)
        | Cell::Loose(_)
        | Cell::Undecodable(_) => None,
    }
}

/// `1985-03-01[ HH:MM:SS[.fff]]`, `19850301`, `19850301HHMMSS`. Microseconds since 1970-01-01.
fn parse_time(text: &str) -> Option<i64> {
    let text = text.trim();
    let forms = [DateForm::Compact, DateForm::Hyphens, DateForm::Dots, DateForm::Slashes, DateForm::Chinese];
    if text.len() == 14 && text.bytes().all(|b| b.is_ascii_digit()) {
        let (day, t) = text.split_at(8);
        let clock = format!("{}:{}:{}", &t[..2], &t[2..4], &t[4..]);
        let day = date::parse(day, Century::Other, &forms)?;
        return Some(i64::from(day) * DAY + time_of_day(&clock)?);
    }
    let micros = text.split_once([' ', 'T']).map_or(Some(0), |(_, time)| time_of_day(time))?;
    Some(i64::from(date::parse(text, Century::Other, &forms)?) * DAY + micros)
}

/// The function that reads a legacy column: (raw column) or (raw column, its `__b`).
pub fn reader(reader: Reader) -> ScalarUDF {
    let fields = fields(&reader.read);
    let name = format!("read_{}:{}", reader.read.name(), reader.column);
    let gives = DataType::Struct(fields.clone());
    Scalar::new(name, &[Takes::Any], gives)
        .and_more(Takes::Any, 0)
        .does(move |call| Ok(Arc::new(StructArray::try_new(fields.clone(), reader.columns(call)?, None)?)))
}

/// The function that spells a legacy key: raw columns in key order, each with its `__b` or, where it has none, NULL; `zones` are those
/// of the columns. Bytes that are no text are `x'hex'`.
pub fn spelled_key(zones: Vec<Option<Zone>>) -> ScalarUDF {
    Scalar::new("spelled_key", &[], DataType::Utf8).and_more(Takes::Any, 2).does(move |call| {
        let mut parts = Vec::new();
        for (at, zone) in zones.iter().enumerate() {
            let bytes = cast(&call.array(at * 2 + 1)?, &DataType::Binary)?.as_binary::<i32>().clone();
            parts.push(Raw::new(&call.array(at * 2)?, Some(bytes), *zone)?);
        }
        let mut out = StringBuilder::with_capacity(call.rows, call.rows * 24);
        let mut key = String::new();
        for row in 0..call.rows {
            key.clear();
            let cells: Vec<Cell<'_>> = parts.iter().map(|part| part.cell(row, |_| None)).collect();
            let texts: Vec<Option<Cow<'_, str>>> = cells.iter().map(Cell::in_key).collect();
            key::key_text(&mut key, texts.iter().map(Option::as_deref));
            out.append_value(&key);
        }
        Ok(Arc::new(out.finish()))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use super::{Font, NullTokens, Read, Reader};
    use crate::encoding::TextEncoding;

    #[test]
    fn bytes_are_read_in_their_encoding_unless_they_could_be_in_another_as_well() {
        let reader = |encoding| Reader {
            column: "XM".to_owned(),
            read: Read::Text { pad: None },
            nulls: NullTokens::default(),
            font: Arc::new(Font(HashMap::from([('\u{E863}', '䶮')]))),
            encoding,
            zone: None,
        };
        let gbk = reader(TextEncoding::CodePage(encoding_rs::GBK));
        assert_eq!(gbk.decoded(b"\xD5\xC5\xC8\xFD").as_deref(), Some("张三"));
        assert_eq!(gbk.decoded("张三".as_bytes()), None, "UTF-8 in a column of GBK");
        let utf8 = reader(TextEncoding::Utf8);
        assert_eq!(utf8.decoded("张\u{E863}".as_bytes()).as_deref(), Some("张䶮"));
    }
}
