//! Readers: one raw legacy column → a typed value, or NULL and a note (FORMS 2, layer 1).
//!
//! Always: a value that is no null token and cannot be decoded, parsed or translated becomes NULL and a note with its bytes; notes
//! arise nowhere else. A reader gives a struct {value, note, code[, shift]}: `note` the bytes, `code` what failed, `shift` (money) what
//! rounding to fen changed, in 10⁻⁴ yuan.
//! Must not know: mapping files.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryBuilder, Date32Builder, Decimal128Builder, Int32Builder, Int64Builder,
    StringArray, StringBuilder, StructArray, TimestampMicrosecondBuilder, new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Decimal128Type, Field, Fields, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::ScalarUDF;
use encoding_rs::{Encoding, GB18030};

use super::code::CodeList;
use super::date::{Century, DateForm, date_from, time_of_day};
use super::money::{self, Exact, MONEY, Unit};
use super::period::{self, PeriodForm};
use super::scalar::{Call, Scalar, Takes};
use super::text::padded;
use super::{date, key};

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;
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
    /// `percent`: 8.00 is 0.08.
    Rate {
        percent: bool,
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

    fn name(&self) -> &'static str {
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
}

impl NullTokens {
    /// Collects tokens; each is trimmed.
    pub fn new<'a>(tokens: impl IntoIterator<Item = &'a str>) -> Self {
        let mut tokens: Vec<String> = tokens.into_iter().map(|t| t.trim().to_owned()).collect();
        tokens.sort();
        tokens.dedup();
        let longest = tokens.iter().map(String::len).max().unwrap_or(0);
        Self { tokens, longest }
    }

    /// Whether a value counts as NULL.
    pub fn holds(&self, text: &str) -> bool {
        let text = text.trim();
        text.len() <= self.longest && self.tokens.iter().any(|t| t == text)
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
    /// Of the bytes that raw could not keep as text; `None`: UTF-8.
    pub code_page: Option<&'static Encoding>,
}

/// The legacy column before parsing: text, and the bytes where there is none.
struct Legacy {
    text: StringArray,
    bytes: Option<arrow::array::BinaryArray>,
}

enum Cell<'a> {
    Null,
    Text(Cow<'a, str>),
    Undecodable(&'a [u8]),
}

impl Legacy {
    fn cell<'a>(&'a self, row: usize, reader: &Reader) -> Cell<'a> {
        if self.text.is_valid(row) {
            return Cell::Text(Cow::Borrowed(self.text.value(row)));
        }
        let Some(bytes) = self.bytes.as_ref().filter(|b| b.is_valid(row)) else { return Cell::Null };
        let bytes = bytes.value(row);
        let decoded = match reader.code_page {
            Some(page) => page.decode_without_bom_handling_and_without_replacement(bytes),
            None => std::str::from_utf8(bytes).ok().map(Cow::Borrowed),
        };
        decoded.map_or(Cell::Undecodable(bytes), |t| Cell::Text(Cow::Owned(reader.font.apply(&t))))
    }
}

/// What became of one value.
enum Outcome<T> {
    Value(T),
    Null,
    Misfit,
}

impl<T> From<Option<T>> for Outcome<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Misfit, Self::Value)
    }
}

/// Notes of a batch: row, what failed, bytes.
#[derive(Default)]
struct Notes(Vec<(usize, &'static str, Vec<u8>)>);

impl Notes {
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
        Field::new("note", DataType::Binary, true),
        Field::new("code", DataType::Utf8, true),
    ];
    if matches!(read, Read::Money(_)) {
        fields.push(Field::new("shift", DataType::Int64, true));
    }
    Fields::from(fields)
}

/// Text of any raw type as people would write it: integers and decimals in digits, bits 0 and 1, times `1985-03-01 08:00:00.5`, whole
/// days `1985-03-01`.
fn spelled(array: &ArrayRef) -> Result<StringArray> {
    let text = match array.data_type() {
        DataType::Utf8 => return Ok(array.as_string::<i32>().clone()),
        DataType::Boolean => cast(&cast(array, &DataType::Int64)?, &DataType::Utf8)?,
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            let times = array.as_primitive::<TimestampMicrosecondType>();
            return Ok(times.iter().map(|t| t.and_then(spelled_time)).collect());
        }
        DataType::Float64 => {
            return Ok(array
                .as_primitive::<Float64Type>()
                .iter()
                .map(|v| v.map(|v| v.to_string()))
                .collect());
        }
        other if other.is_integer() => cast(array, &DataType::Utf8)?,
        DataType::Decimal128(_, _) => cast(array, &DataType::Utf8)?,
        other => return exec_err!("a raw column of type {other} cannot be read"),
    };
    Ok(text.as_string::<i32>().clone())
}

fn spelled_time(micros: i64) -> Option<String> {
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

fn legacy(call: &Call) -> Result<Legacy> {
    let text = spelled(&call.array(0)?)?;
    let bytes = match call.args.len() {
        1 => None,
        _ => Some(cast(&call.array(1)?, &DataType::Binary)?.as_binary::<i32>().clone()),
    };
    Ok(Legacy { text, bytes })
}

impl Reader {
    /// Walks the rows; `done` hears of every one.
    fn walk<T>(
        &self,
        call: &Call,
        parse: impl Fn(&str) -> Outcome<T>,
        mut done: impl FnMut(Option<T>),
    ) -> Result<Notes> {
        let legacy = legacy(call)?;
        let mut notes = Notes::default();
        for row in 0..call.rows {
            let text = match legacy.cell(row, self) {
                Cell::Null => {
                    done(None);
                    continue;
                }
                Cell::Undecodable(bytes) => {
                    notes.0.push((row, "bytes", bytes.to_vec()));
                    done(None);
                    continue;
                }
                Cell::Text(text) => text,
            };
            match parse(&text) {
                Outcome::Value(value) => done(Some(value)),
                Outcome::Null => done(None),
                Outcome::Misfit if self.nulls.holds(&text) => done(None),
                Outcome::Misfit => {
                    notes.0.push((row, self.read.name(), text.as_bytes().to_vec()));
                    done(None);
                }
            }
        }
        Ok(notes)
    }

    /// A null token is NULL even where it would parse; a code list is asked first.
    fn unless_null<'f, T>(
        &'f self,
        parse: impl Fn(&str) -> Option<T> + 'f,
    ) -> impl Fn(&str) -> Outcome<T> + 'f {
        move |text| if self.nulls.holds(text) { Outcome::Null } else { parse(text).into() }
    }

    fn text(&self, call: &Call, pad: Option<usize>) -> Result<(ArrayRef, Notes)> {
        let legacy = legacy(call)?;
        let mut out = StringBuilder::with_capacity(call.rows, legacy.text.value_data().len());
        let mut notes = Notes::default();
        for row in 0..call.rows {
            match legacy.cell(row, self) {
                Cell::Null => out.append_null(),
                Cell::Undecodable(bytes) => {
                    notes.0.push((row, "bytes", bytes.to_vec()));
                    out.append_null();
                }
                Cell::Text(text) if self.nulls.holds(&text) => out.append_null(),
                Cell::Text(text) => {
                    let text = text.trim_end_matches(' ');
                    match pad {
                        Some(width) => out.append_value(padded(text, width)),
                        None => out.append_value(text),
                    }
                }
            }
        }
        Ok((Arc::new(out.finish()), notes))
    }

    fn code(&self, call: &Call, list: &CodeList) -> Result<(ArrayRef, Notes)> {
        let legacy = legacy(call)?;
        let mut out = StringBuilder::with_capacity(call.rows, call.rows * 3);
        let mut notes = Notes::default();
        for row in 0..call.rows {
            match legacy.cell(row, self) {
                Cell::Null => out.append_null(),
                Cell::Undecodable(bytes) => {
                    notes.0.push((row, "bytes", bytes.to_vec()));
                    out.append_null();
                }
                Cell::Text(text) => match list.translate(&text) {
                    Some(code) => out.append_option(code),
                    None if self.nulls.holds(&text) => out.append_null(),
                    None => {
                        notes.0.push((row, "code", text.as_bytes().to_vec()));
                        out.append_null();
                    }
                },
            }
        }
        Ok((Arc::new(out.finish()), notes))
    }

    fn date(&self, call: &Call, century: Century, forms: &[DateForm]) -> Result<(ArrayRef, Notes)> {
        let mut out = Date32Builder::with_capacity(call.rows);
        let parse = self.unless_null(|t| date::parse(t, century, forms));
        let notes = self.walk(call, parse, |v| out.append_option(v))?;
        Ok((Arc::new(out.finish()), notes))
    }

    fn period(&self, call: &Call, forms: &[PeriodForm]) -> Result<(ArrayRef, Notes)> {
        let mut out = Int32Builder::with_capacity(call.rows);
        let parse = self.unless_null(|t| period::parse(t, forms));
        let notes = self.walk(call, parse, |v| out.append_option(v))?;
        Ok((Arc::new(out.finish()), notes))
    }

    fn time(&self, call: &Call) -> Result<(ArrayRef, Notes)> {
        let mut out = TimestampMicrosecondBuilder::with_capacity(call.rows);
        let notes = self.walk(call, self.unless_null(parse_time), |v| out.append_option(v))?;
        Ok((Arc::new(out.finish()), notes))
    }

    fn int(&self, call: &Call) -> Result<(ArrayRef, Notes)> {
        let raw = call.array(0)?;
        if raw.data_type().is_integer() {
            return Ok((cast(&raw, &DataType::Int64)?, Notes::default()));
        }
        let mut out = Int64Builder::with_capacity(call.rows);
        let notes = self.walk(call, self.unless_null(parse_int), |v| out.append_option(v))?;
        Ok((Arc::new(out.finish()), notes))
    }

    /// Numbers of any raw type, exactly; `each` takes the value of every row and says whether it fits.
    fn numbers(&self, call: &Call, mut each: impl FnMut(Option<Exact>) -> bool) -> Result<Notes> {
        let raw = call.array(0)?;
        let mut notes = Notes::default();
        if *raw.data_type() == DataType::Utf8 {
            let mut misfits = Vec::new();
            let parse = self.unless_null(money::exact);
            let mut row = 0;
            let mut found = self.walk(call, parse, |v| {
                if !each(v) {
                    misfits.push(row);
                }
                row += 1;
            })?;
            let text = raw.as_string::<i32>();
            found.0.extend(
                misfits.into_iter().map(|r| (r, self.read.name(), text.value(r).as_bytes().to_vec())),
            );
            found.0.sort_by_key(|(r, _, _)| *r);
            return Ok(found);
        }
        let exact = exact_values(&raw)?;
        let options = FormatOptions::default();
        let formatter = ArrayFormatter::try_new(raw.as_ref(), &options)?;
        for (row, value) in exact.into_iter().enumerate() {
            let unreadable = value.is_none() && raw.is_valid(row);
            if !each(value) || unreadable {
                notes.0.push((row, self.read.name(), formatter.value(row).to_string().into_bytes()));
            }
        }
        Ok(notes)
    }

    fn money(&self, call: &Call, unit: Unit) -> Result<Vec<ArrayRef>> {
        let mut out = Decimal128Builder::with_capacity(call.rows).with_data_type(MONEY);
        let mut shifts = Int64Builder::with_capacity(call.rows);
        let raw = call.array(0)?;
        let floats = raw.as_primitive_opt::<Float64Type>().filter(|_| unit == Unit::Yuan);
        let mut row = 0;
        let notes = self.numbers(call, |value| {
            let amount = value.and_then(|v| money::amount(v, unit));
            out.append_option(amount.map(|a| a.fen));
            let shift = amount.and_then(|a| match floats {
                Some(floats) => money::float_shift(a.fen, floats.value(row)),
                None => Some(a.shift),
            });
            shifts.append_option(shift.filter(|s| *s != 0));
            row += 1;
            value.is_none() || amount.is_some()
        })?;
        let [bytes, codes] = notes.finish(call.rows);
        Ok(vec![Arc::new(out.finish()), bytes, codes, Arc::new(shifts.finish())])
    }

    fn rate(&self, call: &Call, percent: bool, scale: i8) -> Result<(ArrayRef, Notes)> {
        let mut out = Decimal128Builder::with_capacity(call.rows).with_data_type(self.read.gives());
        let notes = self.numbers(call, |value| {
            let exact = value.map(|v| Exact { scale: v.scale + if percent { 2 } else { 0 }, ..v });
            let rate = exact.and_then(|v| v.rounded(i32::from(scale))).filter(|r| r.abs() <= RATE_LIMIT);
            out.append_option(rate);
            value.is_none() || rate.is_some()
        })?;
        Ok((Arc::new(out.finish()), notes))
    }

    fn columns(&self, call: &Call) -> Result<Vec<ArrayRef>> {
        let (value, notes) = match &self.read {
            Read::Text { pad } => self.text(call, *pad)?,
            Read::Date { century, forms } => self.date(call, *century, forms)?,
            Read::Period { forms } => self.period(call, forms)?,
            Read::Int => self.int(call)?,
            Read::Money(unit) => return self.money(call, *unit),
            Read::Rate { percent, scale } => self.rate(call, *percent, *scale)?,
            Read::Time => self.time(call)?,
            Read::Code(list) => self.code(call, list)?,
        };
        let [bytes, codes] = notes.finish(call.rows);
        Ok(vec![value, bytes, codes])
    }
}

/// Exact values of a numeric column; `None` for NULL and for floats that no amount can be.
fn exact_values(raw: &ArrayRef) -> Result<Vec<Option<Exact>>> {
    let exact = |unscaled: i128, scale: i32| Exact { unscaled, scale };
    Ok(match raw.data_type() {
        DataType::Decimal128(_, scale) => {
            let scale = i32::from(*scale);
            raw.as_primitive::<Decimal128Type>().iter().map(|v| v.map(|v| exact(v, scale))).collect()
        }
        DataType::Float64 => {
            raw.as_primitive::<Float64Type>().iter().map(|v| v.and_then(money::exact_float)).collect()
        }
        other if other.is_integer() || *other == DataType::Boolean => {
            let ints = cast(raw, &DataType::Int64)?;
            ints.as_primitive::<Int64Type>().iter().map(|v| v.map(|v| exact(i128::from(v), 0))).collect()
        }
        other => return exec_err!("a raw column of type {other} cannot be read as a number"),
    })
}

fn parse_int(text: &str) -> Option<i64> {
    let exact = money::exact(text)?;
    let whole = exact.rounded(0)?;
    let divisor = 10_i128.checked_pow(exact.scale.unsigned_abs())?;
    (whole * divisor == exact.unscaled).then(|| i64::try_from(whole).ok()).flatten()
}

/// `1985-03-01[ HH:MM:SS[.fff]]`, `19850301`, `19850301HHMMSS`. Microseconds since 1970-01-01.
fn parse_time(text: &str) -> Option<i64> {
    let text = text.trim();
    let forms = [DateForm::Compact, DateForm::Hyphens, DateForm::Dots, DateForm::Slashes];
    if text.len() == 14 && text.bytes().all(|b| b.is_ascii_digit()) {
        let (day, t) = text.split_at(8);
        let clock = format!("{}:{}:{}", &t[..2], &t[2..4], &t[4..]);
        let day = date::parse(day, Century::Other, &forms)?;
        return Some(i64::from(day) * DAY + time_of_day(&clock)?);
    }
    let micros = text.split_once([' ', 'T']).map_or(Some(0), |(_, time)| time_of_day(time))?;
    Some(i64::from(date::parse(text, Century::Other, &forms)?) * DAY + micros)
}

/// The function that reads a legacy column: (raw column) or, for text, (raw column, its `__b`).
pub fn reader(reader: Reader) -> ScalarUDF {
    let fields = fields(&reader.read);
    let name = format!("read_{}:{}", reader.read.name(), reader.column);
    let gives = DataType::Struct(fields.clone());
    Scalar::new(name, &[Takes::Any], gives)
        .and_more(Takes::Any, 0)
        .does(move |call| Ok(Arc::new(StructArray::try_new(fields.clone(), reader.columns(call)?, None)?)))
}

/// The function that spells a legacy key: raw columns in key order, each with its `__b` or, where it has none, NULL. Undecodable bytes
/// are `x'hex'`.
pub fn spelled_key() -> ScalarUDF {
    Scalar::new("spelled_key", &[], DataType::Utf8).and_more(Takes::Any, 2).does(|call| {
        let mut parts = Vec::new();
        for i in (0..call.args.len()).step_by(2) {
            let bytes = cast(&call.array(i + 1)?, &DataType::Binary)?;
            parts.push((spelled(&call.array(i)?)?, bytes));
        }
        let mut out = StringBuilder::with_capacity(call.rows, call.rows * 24);
        let mut key = String::new();
        for row in 0..call.rows {
            key.clear();
            let texts: Vec<Option<Cow<'_, str>>> = parts
                .iter()
                .map(|(text, bytes)| match (text.is_valid(row), bytes.is_valid(row)) {
                    (true, _) => Some(Cow::Borrowed(text.value(row))),
                    (false, true) => Some(Cow::Owned(hex(bytes.as_binary::<i32>().value(row)))),
                    (false, false) => None,
                })
                .collect();
            key::key_text(&mut key, texts.iter().map(Option::as_deref));
            out.append_value(&key);
        }
        Ok(Arc::new(out.finish()))
    })
}

fn hex(bytes: &[u8]) -> String {
    format!("x'{}'", crate::durable::hex(bytes))
}

/// The code page of a name in city.toml (`gbk`, `gb18030`, `utf-8`), if it is known. GBK is read as its superset GB 18030.
pub fn code_page(name: &str) -> Option<&'static Encoding> {
    if name == "gbk" { Some(GB18030) } else { Encoding::for_label(name.as_bytes()) }
}
