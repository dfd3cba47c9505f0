//! Periods (期号): Int32 yyyymm (reference 3, dirt table; FORMS 2, 9).
//!
//! Always: the month is 01 to 12; a 13th period or a month 00 is no period. A period as a date takes day 01 (9.7).

use std::sync::Arc;

use arrow::array::{Array, AsArray, Date32Array, Int32Array};
use arrow::datatypes::{DataType, Date32Type};
use chrono::Datelike;
use datafusion::logical_expr::ScalarUDF;

use super::date::{Century, chinese, date_from, days, digits, real};
use super::scalar::{Scalar, Takes};

const YEARS: std::ops::RangeInclusive<u32> = 1900..=2099;

/// One way of writing a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeriodForm {
    /// 200403
    Compact,
    /// 2004-03
    Hyphen,
    /// 2004.3
    Dot,
    /// 2004/3
    Slash,
    /// 0403
    Short,
    /// 2004年03月 or 2004年3月
    Chinese,
}

impl PeriodForm {
    /// Every form, as a mapping spells it.
    pub const ALL: [(&'static str, Self); 7] = [
        ("yyyymm", Self::Compact),
        ("yyyy-mm", Self::Hyphen),
        ("yyyy.m", Self::Dot),
        ("yyyy/m", Self::Slash),
        ("yymm", Self::Short),
        ("yyyy年mm月", Self::Chinese),
        ("yyyy年m月", Self::Chinese),
    ];

    /// The form of that spelling.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(n, _)| *n == name).map(|(_, form)| *form)
    }
}

/// Reads a period in one of `forms`; spaces around it do not matter.
pub(super) fn parse(text: &str, forms: &[PeriodForm]) -> Option<i32> {
    let t = text.trim().as_bytes();
    let (form, year, month) = match (t.len(), t.get(4)) {
        (4, None) => (PeriodForm::Short, Century::Other.year(digits(&t[..2])?), digits(&t[2..])?),
        (6, Some(b'0'..=b'9')) => (PeriodForm::Compact, digits(&t[..4])?, digits(&t[4..])?),
        (6 | 7, Some(b'-')) => (PeriodForm::Hyphen, digits(&t[..4])?, digits(&t[5..])?),
        (6 | 7, Some(b'.')) => (PeriodForm::Dot, digits(&t[..4])?, digits(&t[5..])?),
        (6 | 7, Some(b'/')) => (PeriodForm::Slash, digits(&t[..4])?, digits(&t[5..])?),
        (_, Some(mark)) if !mark.is_ascii() => match chinese(text.trim())? {
            (year, month, None) => (PeriodForm::Chinese, year, month),
            (_, _, Some(_)) => return None,
        },
        _ => return None,
    };
    let good = forms.contains(&form) && YEARS.contains(&year) && (1..=12).contains(&month);
    good.then(|| i32::try_from(year * 100 + month).ok()).flatten()
}

/// Year and month of a period, if it is one.
fn parts(period: i64) -> Option<(u32, u32)> {
    let period = u32::try_from(period).ok()?;
    let (year, month) = (period / 100, period % 100);
    (YEARS.contains(&year) && (1..=12).contains(&month)).then_some((year, month))
}

/// The period `months` later (or earlier).
fn shifted(period: i64, months: i64) -> Option<i32> {
    let (year, month) = parts(period)?;
    let count = i64::from(year * 12 + month - 1).checked_add(months)?;
    let moved = (count.div_euclid(12)) * 100 + count.rem_euclid(12) + 1;
    parts(moved).and_then(|_| i32::try_from(moved).ok())
}

/// `period_of(text)`: a period in any form, else NULL.
pub(super) fn period_of() -> ScalarUDF {
    Scalar::new("period_of", &[Takes::Text], DataType::Int32).does(|call| {
        let text = call.text(0)?;
        let forms = PeriodForm::ALL.map(|(_, form)| form);
        let read = |row| text.get(row).and_then(|t| parse(t, &forms));
        Ok(Arc::new((0..call.rows).map(read).collect::<Int32Array>()))
    })
}

/// `period_date(period)`: its first day; NULL for what is no period.
pub(super) fn period_date() -> ScalarUDF {
    Scalar::new("period_date", &[Takes::Int], DataType::Date32).does(|call| {
        let first = |p| parts(p).and_then(|(year, month)| real(year, month, 1)).map(days);
        Ok(Arc::new(call.ints(0)?.iter().map(|p| p.and_then(first)).collect::<Date32Array>()))
    })
}

/// The period that a day lies in, if it is one.
pub(super) fn of_day(days: i32) -> Option<i32> {
    let date = date_from(days)?;
    let month = i32::try_from(date.month()).ok()?;
    parts(i64::from(date.year() * 100 + month)).map(|_| date.year() * 100 + month)
}

/// `date_period(date)`: the period that the day lies in.
pub(super) fn date_period() -> ScalarUDF {
    Scalar::new("date_period", &[Takes::Date], DataType::Int32).does(|call| {
        let array = call.array(0)?;
        let dates = array.as_primitive::<Date32Type>();
        Ok(Arc::new(dates.iter().map(|d| d.and_then(of_day)).collect::<Int32Array>()))
    })
}

/// `months(from, to)`: the months from one period to another, 0 for the same; NULL for what is no period.
pub(super) fn months() -> ScalarUDF {
    Scalar::new("months", &[Takes::Int, Takes::Int], DataType::Int32).does(|call| {
        let (from, to) = (call.ints(0)?, call.ints(1)?);
        let count = |p: i64| parts(p).and_then(|(year, month)| i32::try_from(year * 12 + month).ok());
        let between = |(a, b): (Option<i64>, Option<i64>)| Some(count(b?)? - count(a?)?);
        Ok(Arc::new(from.iter().zip(&to).map(between).collect::<Int32Array>()))
    })
}

/// `retire_month(birth, age, start, step, cap)`: the month of retirement at that age, one month later for every `step` months (begun) that
/// the birth lies after the period `start`, at most `cap` (decision of 2024 on the gradual delay; reference 4.7). Where `start` is NULL
/// nothing is delayed.
pub(super) fn retire_month() -> ScalarUDF {
    let takes = [Takes::Date, Takes::Int, Takes::Int, Takes::Int, Takes::Int];
    Scalar::new("retire_month", &takes, DataType::Int32).does(|call| {
        let array = call.array(0)?;
        let births = array.as_primitive::<Date32Type>();
        let (ages, starts) = (call.ints(1)?, call.ints(2)?);
        let (steps, caps) = (call.ints(3)?, call.ints(4)?);
        let given = |of: &arrow::array::Int64Array, row: usize| of.is_valid(row).then(|| of.value(row));
        let one = |row: usize| {
            let birth = of_day(births.is_valid(row).then(|| births.value(row))?)?;
            let delay = match (given(&starts, row), given(&steps, row), given(&caps, row)) {
                (Some(start), Some(step), Some(cap)) if step > 0 => {
                    delay(i64::from(birth), start, step, cap)?
                }
                _ => 0,
            };
            shifted(i64::from(birth), given(&ages, row)?.checked_mul(12)?.checked_add(delay)?)
        };
        Ok(Arc::new((0..call.rows).map(one).collect::<Int32Array>()))
    })
}

fn delay(birth: i64, start: i64, step: i64, cap: i64) -> Option<i64> {
    let count = |p: i64| parts(p).map(|(year, month)| i64::from(year * 12 + month));
    let after = count(birth)? - count(start)?;
    Some(if after < 0 { 0 } else { (after / step + 1).min(cap) })
}

/// `period_add(period, months)`: the period so many months later; NULL for what is no period.
pub(super) fn period_add() -> ScalarUDF {
    Scalar::new("period_add", &[Takes::Int, Takes::Int], DataType::Int32).does(|call| {
        let (periods, months) = (call.ints(0)?, call.ints(1)?);
        let add = |(p, m): (Option<i64>, Option<i64>)| shifted(p?, m?);
        Ok(Arc::new(periods.iter().zip(&months).map(add).collect::<Int32Array>()))
    })
}

#[cfg(test)]
mod tests {
    use super::{delay, shifted};

    #[test]
    fn the_month_of_retirement_is_that_of_the_decision() {
        // Reference 4.7: birth, age, start, step, cap → month, delay.
        for (birth, age, start, step, cap, month, later) in [
            (196_501, 60, 196_501, 4, 36, 202_502, 1),
            (196_505, 60, 196_501, 4, 36, 202_507, 2),
            (196_606, 60, 196_501, 4, 36, 202_611, 5),
            (197_001, 60, 196_501, 4, 36, 203_105, 16),
            (197_609, 60, 196_501, 4, 36, 203_909, 36),
            (197_104, 55, 197_001, 4, 36, 202_608, 4),
            (198_109, 55, 197_001, 4, 36, 203_909, 36),
            (197_503, 50, 197_501, 2, 60, 202_505, 2),
            (198_005, 50, 197_501, 2, 60, 203_302, 33),
            (198_411, 50, 197_501, 2, 60, 203_911, 60),
            (196_412, 60, 196_501, 4, 36, 202_412, 0),
        ] {
            let found = delay(birth, start, step, cap).unwrap();
            assert_eq!((found, shifted(birth, age * 12 + found)), (later, Some(month)), "{birth}");
        }
    }
}
