//! Dates as people and programs wrote them (reference 3, dirt table; FORMS 2).
//!
//! Always: a date is read in one of the forms that were allowed, or not at all; a day 00, a month 13, a 29 February of a common year is
//! no date. Two-digit years: births 1920 to 2019, others 1950 to 2049. A form without a day means day 01.

use std::sync::Arc;

use arrow::array::Date32Array;
use arrow::datatypes::DataType;
use chrono::{Datelike, NaiveDate};
use datafusion::common::exec_err;
use datafusion::logical_expr::ScalarUDF;

use super::scalar::{Scalar, Takes};

/// The first and the last year that a date can have; 9999-12-31 and 1753-01-01 are declared null tokens, or read errors.
const YEARS: std::ops::RangeInclusive<u32> = 1850..=2099;
/// Days from 0001-01-01 (day 1) to 1970-01-01.
const EPOCH: i32 = 719_163;

/// One way of writing a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateForm {
    /// 19850301
    Compact,
    /// 1985-03-01 or 1985-3-1, also with a time after it
    Hyphens,
    /// 1985.3.1
    Dots,
    /// 1985/3/1
    Slashes,
    /// 085-03-01 = 1985-03-01
    ZeroYear,
    /// 198503
    Month,
    /// 1985-03
    MonthHyphen,
    /// 8503
    ShortMonth,
    /// 85.03
    ShortMonthDot,
    /// 1985年03月01日 or 1985年3月1日
    Chinese,
    /// 1985年03月 or 1985年3月
    ChineseMonth,
}

impl DateForm {
    /// Every form, as a mapping spells it.
    pub const ALL: [(&'static str, Self); 13] = [
        ("yyyymmdd", Self::Compact),
        ("yyyy-mm-dd", Self::Hyphens),
        ("yyyy.m.d", Self::Dots),
        ("yyyy/m/d", Self::Slashes),
        ("0yy-mm-dd", Self::ZeroYear),
        ("yyyymm", Self::Month),
        ("yyyy-mm", Self::MonthHyphen),
        ("yymm", Self::ShortMonth),
        ("yy.mm", Self::ShortMonthDot),
        ("yyyy年mm月dd日", Self::Chinese),
        ("yyyy年m月d日", Self::Chinese),
        ("yyyy年mm月", Self::ChineseMonth),
        ("yyyy年m月", Self::ChineseMonth),
    ];

    /// The form of that spelling.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(n, _)| *n == name).map(|(_, form)| *form)
    }
}

/// Which century two-digit years belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Century {
    /// 1920 to 2019.
    Birth,
    /// 1950 to 2049.
    #[default]
    Other,
}

impl Century {
    /// The four-digit year.
    pub(super) fn year(self, two: u32) -> u32 {
        let pivot = match self {
            Self::Birth => 20,
            Self::Other => 50,
        };
        if two >= pivot { 1900 + two } else { 2000 + two }
    }
}

/// `as_of()`: the day that stands for today.
pub(super) fn as_of(day: NaiveDate) -> ScalarUDF {
    Scalar::new("as_of", &[], DataType::Date32)
        .does(move |call| Ok(Arc::new(Date32Array::from(vec![days(day); call.rows]))))
}

/// The calendar day, if it exists.
pub(super) fn real(year: u32, month: u32, day: u32) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)
}

/// Days since 1970-01-01.
pub(super) fn days(date: NaiveDate) -> i32 {
    date.num_days_from_ce() - EPOCH
}

/// The day that number of days after 1970-01-01.
pub(super) fn date_from(days: i32) -> Option<NaiveDate> {
    NaiveDate::from_num_days_from_ce_opt(days.checked_add(EPOCH)?)
}

/// A number of at most four ASCII digits.
pub(super) fn digits(text: &[u8]) -> Option<u32> {
    let fits = (1..=4).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    fits.then(|| text.iter().fold(0, |n, d| n * 10 + u32::from(d - b'0')))
}

fn compact(t: &[u8], century: Century) -> Option<(DateForm, u32, u32, u32)> {
    match t.len() {
        8 => Some((DateForm::Compact, digits(&t[..4])?, digits(&t[4..6])?, digits(&t[6..])?)),
        6 => Some((DateForm::Month, digits(&t[..4])?, digits(&t[4..])?, 1)),
        4 => Some((DateForm::ShortMonth, century.year(digits(&t[..2])?), digits(&t[2..])?, 1)),
        _ => None,
    }
}

fn separated(t: &[u8], mark: u8, century: Century) -> Option<(DateForm, u32, u32, u32)> {
    let mut groups = t.split(|b| *b == mark);
    let (year, month, day) = (groups.next()?, groups.next()?, groups.next());
    if groups.next().is_some() || month.len() > 2 || day.is_some_and(|d| d.len() > 2) {
        return None;
    }
    let (y, m) = (digits(year)?, digits(month)?);
    match (year.len(), mark, day) {
        (4, b'-', Some(d)) => Some((DateForm::Hyphens, y, m, digits(d)?)),
        (4, b'.', Some(d)) => Some((DateForm::Dots, y, m, digits(d)?)),
        (4, b'/', Some(d)) => Some((DateForm::Slashes, y, m, digits(d)?)),
        (3, b'-', Some(d)) if year[0] == b'0' => Some((DateForm::ZeroYear, century.year(y), m, digits(d)?)),
        (4, b'-', None) => Some((DateForm::MonthHyphen, y, m, 1)),
        (2, b'.', None) => Some((DateForm::ShortMonthDot, century.year(y), m, 1)),
        _ => None,
    }
}

/// Year, month and, where there is one, day of `1985年3月1日`.
pub(super) fn chinese(text: &str) -> Option<(u32, u32, Option<u32>)> {
    let number = |t: &str, lengths: std::ops::RangeInclusive<usize>| {
        digits(t.as_bytes()).filter(|_| lengths.contains(&t.len()))
    };
    let (year, rest) = text.split_once('年')?;
    let (month, rest) = rest.split_once('月')?;
    let day = match rest {
        "" => None,
        _ => Some(number(rest.strip_suffix('日')?, 1..=2)?),
    };
    Some((number(year, 4..=4)?, number(month, 1..=2)?, day))
}

/// The date part of `1985-03-01 00:00:00.000`, if the rest is a time of day.
fn without_time(text: &str) -> &str {
    match text.split_once([' ', 'T']) {
        Some((date, time)) if time_of_day(time).is_some() => date,
        Some(_) | None => text,
    }
}

/// Microseconds of `HH:MM[:SS[.ffffff]]`.
pub(super) fn time_of_day(text: &str) -> Option<i64> {
    let (clock, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut groups = clock.split(':').map(|g| digits(g.as_bytes()).filter(|_| g.len() <= 2));
    let (hour, minute) = (groups.next()??, groups.next()??);
    let second = groups.next().unwrap_or(Some(0))?;
    let plain = fraction.len() <= 9 && fraction.bytes().all(|b| b.is_ascii_digit());
    if groups.next().is_some() || hour > 23 || minute > 59 || second > 59 || !plain {
        return None;
    }
    let micros =
        fraction.bytes().chain(std::iter::repeat(b'0')).take(6).fold(0, |n, d| n * 10 + i64::from(d - b'0'));
    Some(i64::from(hour * 3600 + minute * 60 + second) * 1_000_000 + micros)
}

/// Reads a date in one of `forms`; spaces around it do not matter. Days since 1970-01-01.
pub(super) fn parse(text: &str, century: Century, forms: &[DateForm]) -> Option<i32> {
    let t = without_time(text.trim());
    let mark = t.bytes().find(|b| !b.is_ascii_digit());
    let (form, year, month, day) = match mark {
        None => compact(t.as_bytes(), century),
        Some(mark) if mark.is_ascii() => separated(t.as_bytes(), mark, century),
        Some(_) => chinese(t).map(|(year, month, day)| match day {
            Some(day) => (DateForm::Chinese, year, month, day),
            None => (DateForm::ChineseMonth, year, month, 1),
        }),
    }?;
    let allowed = forms.contains(&form) && YEARS.contains(&year);
    allowed.then(|| real(year, month, day).map(days)).flatten()
}

/// A day that a column of dates holds, if it lies in the years that a date can have.
pub(super) fn known(days: i32) -> Option<NaiveDate> {
    date_from(days).filter(|d| u32::try_from(d.year()).is_ok_and(|y| YEARS.contains(&y)))
}

/// `date_of(text, form…)`: a date in one of the forms (all of them when none is named), else NULL. Two-digit years are 1950 to 2049;
/// the word 'birth' among the forms makes them 1920 to 2019.
pub(super) fn date_of() -> ScalarUDF {
    Scalar::new("date_of", &[Takes::Text], DataType::Date32).and_more(Takes::Text, 0).does(|call| {
        let (mut century, mut forms) = (Century::Other, Vec::new());
        for i in 1..call.args.len() {
            let name = call.literal(i, "a date form")?;
            match (name.as_str(), DateForm::named(&name)) {
                ("birth", _) => century = Century::Birth,
                (_, Some(form)) => forms.push(form),
                (_, None) => return exec_err!("date_of knows no form '{name}'"),
            }
        }
        if forms.is_empty() {
            forms.extend(DateForm::ALL.map(|(_, form)| form));
        }
        let text = call.text(0)?;
        let read = |row| text.get(row).and_then(|t| parse(t, century, &forms));
        Ok(Arc::new((0..call.rows).map(read).collect::<Date32Array>()))
    })
}
