//! numeric(p,s) and money, exactly.
//!
//! The embedded database keeps them as floats. The decimal that was meant is the shortest one that reads back as the same float; it
//! must have no more digits after the point than the column declares, and no more digits in all.

use super::{Misfit, Value};

/// Below this many units every float has its shortest decimal at 15 digits or fewer, and one multiplication finds it.
const FAST: f64 = 1e15;

/// The unscaled integer of a value at the column's scale.
pub(super) fn exact(value: Value<'_>, precision: u8, scale: i8) -> Result<Option<i128>, Misfit> {
    let scale = scale.unsigned_abs();
    let unscaled = match value {
        Value::Null => return Ok(None),
        Value::Int(v) => i128::from(v).checked_mul(power(scale)).ok_or(TOO_LONG)?,
        Value::Real(v) => real(v, scale)?,
        Value::Decimal(v, digits) if digits <= scale => {
            checked_power(scale - digits).and_then(|p| v.checked_mul(p)).ok_or(TOO_LONG)?
        }
        Value::Decimal(v, digits) => {
            let by = checked_power(digits - scale).ok_or(TOO_FINE)?;
            if v % by == 0 { v / by } else { return Err(TOO_FINE) }
        }
        Value::Text(_) => return Err("text"),
        Value::Bytes(_) => return Err("bytes"),
        Value::Micros(_) | Value::Day(_) => return Err("a time"),
    };
    if unscaled.unsigned_abs() >= power(precision).unsigned_abs() {
        Err(TOO_LONG)
    } else {
        Ok(Some(unscaled))
    }
}

const TOO_LONG: Misfit = "a number with more digits than declared";
const TOO_FINE: Misfit = "a number with more digits after the point than declared";

fn checked_power(of: u8) -> Option<i128> {
    10_i128.checked_pow(u32::from(of))
}

fn power(of: u8) -> i128 {
    10_i128.pow(u32::from(of))
}

#[allow(clippy::cast_possible_truncation)]
fn real(v: f64, scale: u8) -> Result<i128, Misfit> {
    if !v.is_finite() {
        return Err("an infinite number");
    }
    let unit = 10_f64.powi(i32::from(scale));
    let units = (v * unit).round();
    if scale <= 22 && units.abs() < FAST && units / unit == v {
        return Ok(units as i128);
    }
    digits(v, scale)
}

/// By the digits of the shortest decimal.
fn digits(v: f64, scale: u8) -> Result<i128, Misfit> {
    let text = v.to_string();
    let (negative, plain) = text.strip_prefix('-').map_or((false, text.as_str()), |rest| (true, rest));
    let (whole, fraction) = plain.split_once('.').unwrap_or((plain, ""));
    if fraction.len() > usize::from(scale) {
        return Err(TOO_FINE);
    }
    let padded = format!("{whole}{fraction:0<width$}", width = usize::from(scale));
    let unscaled: i128 = padded.parse().map_err(|_| TOO_LONG)?;
    Ok(if negative { -unscaled } else { unscaled })
}

#[cfg(test)]
mod tests {
    use super::{TOO_FINE, TOO_LONG, Value, exact};

    #[test]
    fn a_float_becomes_the_decimal_that_was_meant() {
        for (given, expected) in [
            (0.1, 10),
            (338.4, 33840),
            (-0.01, -1),
            (99_999_999.99, 9_999_999_999),
            (-99_999_999.99, -9_999_999_999),
            (0.0, 0),
            (-0.0, 0),
            (1.15, 115),
        ] {
            assert_eq!(exact(Value::Real(given), 10, 2), Ok(Some(expected)), "{given}");
        }
        assert_eq!(exact(Value::Int(-7), 10, 2), Ok(Some(-700)));
        assert_eq!(exact(Value::Real(922_337_203_685_477.6), 19, 4), Ok(Some(9_223_372_036_854_776_000)));
        assert_eq!(exact(Value::Null, 10, 2), Ok(None));
    }

    #[test]
    fn an_exact_number_keeps_its_value_at_another_scale() {
        let nines = 10_i128.pow(38) - 1;
        assert_eq!(exact(Value::Decimal(nines, 0), 38, 0), Ok(Some(nines)));
        assert_eq!(exact(Value::Decimal(-nines, 38), 38, 38), Ok(Some(-nines)));
        assert_eq!(exact(Value::Decimal(15, 1), 10, 4), Ok(Some(15_000)));
        assert_eq!(exact(Value::Decimal(15_000, 4), 10, 1), Ok(Some(15)));
        assert_eq!(exact(Value::Decimal(15_001, 4), 10, 1), Err(TOO_FINE));
        assert_eq!(exact(Value::Decimal(nines, 0), 38, 1), Err(TOO_LONG));
    }

    #[test]
    fn what_the_declaration_does_not_hold_is_refused() {
        assert_eq!(exact(Value::Real(338.399_99), 10, 2), Err(TOO_FINE));
        assert_eq!(exact(Value::Real(100_000_000.0), 10, 2), Err(TOO_LONG));
        assert_eq!(exact(Value::Int(i64::MAX), 38, 38), Err(TOO_LONG));
        assert_eq!(exact(Value::Real(1e300), 38, 2), Err(TOO_LONG));
        assert!(exact(Value::Real(f64::INFINITY), 10, 2).is_err());
        assert!(exact(Value::Text(b"1.00"), 10, 2).is_err());
    }
}
