//! Money: any legacy spelling → Decimal128(16, 2) yuan, exactly (FORMS 7, 9).
//!
//! Always: no floating point is computed with. A float is taken as the shortest decimal text that reads back as the same float (what
//! people saw on their screens), then rounded like every other amount: half away from zero, to fen. What rounding changed is known in
//! units of 10⁻⁴ yuan (fen × 100 − trunc(amount × 10⁴)), so that sums can be explained.

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array};
use arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::ScalarUDF;

use super::scalar::{Scalar, Takes};

/// The one type of money.
pub(super) const MONEY: DataType = DataType::Decimal128(16, 2);
/// The largest amount in fen that fits Decimal128(16, 2).
const LIMIT: i128 = 10_i128.pow(16) - 1;
/// Decimals of an amount written as text; more are nonsense.
const TEXT_DECIMALS: usize = 20;
/// Decimals that the shortest text of a float of at least 10⁻¹⁵ can have.
const FLOAT_DECIMALS: usize = 33;

/// The declared unit of a legacy amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Yuan,
    Fen,
}

impl Unit {
    /// The unit of that spelling (`yuan`, `fen`).
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "yuan" => Some(Self::Yuan),
            "fen" => Some(Self::Fen),
            _ => None,
        }
    }

    /// Decimal places between the unit and fen.
    fn places(self) -> i32 {
        match self {
            Self::Yuan => 2,
            Self::Fen => 0,
        }
    }
}

/// An exact decimal number: `unscaled` × 10^-`scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exact {
    pub(super) unscaled: i128,
    pub(super) scale: i32,
}

impl Exact {
    /// × 10^`places`, rounded half away from zero to an integer; `None` when it does not fit.
    pub(super) fn rounded(self, places: i32) -> Option<i128> {
        let shift = places - self.scale;
        if shift >= 0 {
            return 10_i128.checked_pow(shift.unsigned_abs())?.checked_mul(self.unscaled);
        }
        let divisor = 10_i128.checked_pow(shift.unsigned_abs())?;
        let (whole, rest) = (self.unscaled / divisor, self.unscaled % divisor);
        let up = rest.unsigned_abs() * 2 >= divisor.unsigned_abs();
        Some(if up { whole + self.unscaled.signum() } else { whole })
    }

    /// The whole number that it is, if it is one.
    pub(super) fn whole(self) -> Option<i128> {
        let whole = self.rounded(0)?;
        let back = Self { unscaled: whole, scale: 0 }.rounded(self.scale.max(0))?;
        let unscaled = if self.scale < 0 { whole } else { self.unscaled };
        (back == unscaled).then_some(whole)
    }

    /// × 10^`places`, cut off to an integer.
    fn cut(self, places: i32) -> Option<i128> {
        let shift = places - self.scale;
        let power = 10_i128.checked_pow(shift.unsigned_abs())?;
        if shift >= 0 { self.unscaled.checked_mul(power) } else { Some(self.unscaled / power) }
    }
}

/// An amount as it goes on: fen, and what rounding changed in 10⁻⁴ yuan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Amount {
    pub(super) fen: i128,
    pub(super) shift: i64,
}

/// What rounding changed in a float of yuan, against what the source sums: trunc(x × 10⁴) of the double product (FORMS 7).
pub(super) fn float_shift(fen: i128, value: f64) -> Option<i64> {
    // The amount fits Decimal128(16, 2), so the product is below 10¹⁸ and its integer part an i64.
    i64::try_from(fen * 100).ok()?.checked_sub((value * 10_000.0).trunc() as i64)
}

/// `None` when the amount does not fit Decimal128(16, 2).
pub(super) fn amount(exact: Exact, unit: Unit) -> Option<Amount> {
    let fen = exact.rounded(unit.places()).filter(|fen| fen.abs() <= LIMIT)?;
    let before = exact.cut(unit.places() + 2)?;
    Some(Amount { fen, shift: i64::try_from(fen * 100 - before).ok()? })
}

/// `-1,234.50`, `4378.00000000`, `+3`: sign, digits (in groups of three where there are commas), decimals.
pub(super) fn exact(text: &str) -> Option<Exact> {
    decimal(text.trim(), TEXT_DECIMALS)
}

fn decimal(text: &str, most: usize) -> Option<Exact> {
    let (negative, rest) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (whole, decimals) = rest.split_once('.').unwrap_or((rest, ""));
    let grouped = whole.contains(',');
    let groups_fit = |w: &str| {
        w.split(',').enumerate().all(|(i, g)| if i == 0 { (1..=3).contains(&g.len()) } else { g.len() == 3 })
    };
    if (whole.is_empty() && decimals.is_empty()) || decimals.len() > most || (grouped && !groups_fit(whole)) {
        return None;
    }
    let mut unscaled: i128 = 0;
    for digit in whole.bytes().filter(|b| *b != b',').chain(decimals.bytes()) {
        if !digit.is_ascii_digit() {
            return None;
        }
        unscaled = unscaled.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
    }
    let unscaled = if negative { -unscaled } else { unscaled };
    Some(Exact { unscaled, scale: i32::try_from(decimals.len()).ok()? })
}

/// The fen of an amount that a source kept as text beside a column of numbers, since it does not fit there (`1,234.50`); `None` where it
/// is none to the fen exactly, or too large: a read error.
pub fn kept_fen(text: &[u8], unit: Unit) -> Option<i128> {
    let exact = exact(std::str::from_utf8(text).ok()?)?;
    Exact { scale: exact.scale - unit.places(), ..exact }.whole().filter(|fen| fen.abs() <= LIMIT)
}

/// A float as the shortest decimal that reads back as it; `None` for NaN, infinities and what no amount can be.
pub(super) fn exact_float(value: f64) -> Option<Exact> {
    if !value.is_finite() || value.abs() >= 1e18 {
        return None;
    }
    // Display of f64 is the shortest decimal, without an exponent.
    let tiny = value.abs() < 1e-15;
    if tiny { Some(Exact { unscaled: 0, scale: 0 }) } else { decimal(&value.to_string(), FLOAT_DECIMALS) }
}

/// A finished column of money.
pub(super) fn column(fen: impl Iterator<Item = Option<i128>>) -> Result<ArrayRef> {
    Ok(Arc::new(fen.collect::<Decimal128Array>().with_precision_and_scale(16, 2)?))
}

/// `money_of(text, unit)`: an amount written as text, in 'yuan' or 'fen', as yuan; NULL for what is no amount.
pub(super) fn money_of() -> ScalarUDF {
    Scalar::new("money_of", &[Takes::Text, Takes::Text], MONEY).does(|call| {
        let name = call.literal(1, "the unit of money_of")?;
        let Some(unit) = Unit::named(&name) else {
            return exec_err!("money_of knows yuan and fen, not '{name}'");
        };
        let text = call.text(0)?;
        let read = |row| text.get(row).and_then(exact).and_then(|e| amount(e, unit)).map(|a| a.fen);
        column((0..call.rows).map(read))
    })
}
