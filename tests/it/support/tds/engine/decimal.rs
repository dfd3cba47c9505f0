//! Exact decimals of up to 38 digits as an unscaled i128: parsing, rescaling, arithmetic.
//!
//! Always: no float takes part, and a result that does not fit is an error, never a wrapped value.

use super::super::value::SqlError;
use super::error::{fail, overflow};

/// 10 to the power of `n`, for n up to 38.
pub fn power(n: u8) -> i128 {
    10_i128.pow(u32::from(n.min(38)))
}

/// Fails unless the value has at most `precision` digits.
pub fn fit(value: i128, precision: u8) -> Result<i128, SqlError> {
    if value.unsigned_abs() < power(precision).unsigned_abs() { Ok(value) } else { Err(overflow("numeric")) }
}

/// The value at another scale, rounded half away from zero.
pub fn rescale(value: i128, from: u8, to: u8) -> Result<i128, SqlError> {
    if to >= from {
        return value.checked_mul(power(to - from)).ok_or_else(|| overflow("numeric"));
    }
    let unit = power(from - to);
    let (whole, rest) = (value / unit, value % unit);
    let carry = if rest.unsigned_abs() >= unit.unsigned_abs().div_ceil(2) { value.signum() } else { 0 };
    Ok(whole + carry)
}

/// Digits with an optional sign and point as (unscaled, digits, scale). `None`: not a number or over 38 digits.
pub fn parse(text: &str) -> Option<(i128, u8, u8)> {
    let text = text.trim();
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let only_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !only_digits(whole) || !only_digits(fraction) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let scale = u8::try_from(fraction.len()).ok().filter(|scale| *scale <= 38)?;
    let all = format!("{whole}{fraction}");
    let precision = u8::try_from(all.len()).ok().filter(|precision| *precision <= 38)?.max(1);
    let value: i128 = if all.is_empty() { 0 } else { all.parse().ok()? };
    Some((if negative { -value } else { value }, precision, scale))
}

/// The value as digits with exactly `scale` places.
pub fn text(value: i128, scale: u8) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let scale = usize::from(scale);
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// Precision and scale of the result of an operation on two decimals, by SQL Server's rules.
pub fn result(op: char, (p1, s1): (u8, u8), (p2, s2): (u8, u8)) -> (u8, u8) {
    let (precision, scale) = match op {
        '*' => (p1 + p2 + 1, s1 + s2),
        '/' => {
            let scale = (s1 + p2 + 1).max(6);
            (p1 - s1 + s2 + scale, scale)
        }
        '%' => ((p1 - s1).min(p2 - s2) + s1.max(s2), s1.max(s2)),
        _ => (s1.max(s2) + (p1 - s1).max(p2 - s2) + 1, s1.max(s2)),
    };
    if precision <= 38 {
        return (precision.max(1), scale);
    }
    // Too wide: the fraction gives way, but not below six places (or what there is).
    let whole = precision - scale;
    let kept = if matches!(op, '*' | '/') {
        scale.min(6).max(38_u8.saturating_sub(whole))
    } else {
        38_u8.saturating_sub(whole)
    };
    (38, kept.min(scale))
}

/// One operation; `scales` are those of the operands, then of the result.
pub fn arithmetic(op: char, a: i128, b: i128, scales: [u8; 3], precision: u8) -> Result<i128, SqlError> {
    let [s1, s2, scale] = scales;
    let value = match op {
        '+' | '-' | '%' => {
            let both = s1.max(s2);
            let (a, b) = (rescale(a, s1, both)?, rescale(b, s2, both)?);
            let value = match op {
                '+' => a.checked_add(b),
                '-' => a.checked_sub(b),
                _ if b == 0 => return Err(fail(8134, "Divide by zero error encountered.")),
                _ => a.checked_rem(b),
            };
            rescale(value.ok_or_else(|| overflow("numeric"))?, both, scale)?
        }
        '*' => {
            let product = Wide::product(a.unsigned_abs(), b.unsigned_abs());
            let unit = power(s1 + s2 - scale).unsigned_abs();
            let (whole, rest) = product.divide(unit).ok_or_else(|| overflow("numeric"))?;
            signed(whole + u128::from(rest >= unit.div_ceil(2) && unit > 1), (a < 0) != (b < 0))?
        }
        _ => {
            if b == 0 {
                return Err(fail(8134, "Divide by zero error encountered."));
            }
            let shift = (scale + s2)
                .checked_sub(s1)
                .filter(|shift| *shift <= 38)
                .ok_or_else(|| overflow("numeric"))?;
            let scaled = Wide::product(a.unsigned_abs(), power(shift).unsigned_abs());
            // SQL Server cuts a quotient, it does not round it.
            let (whole, _) = scaled.divide(b.unsigned_abs()).ok_or_else(|| overflow("numeric"))?;
            signed(whole, (a < 0) != (b < 0))?
        }
    };
    fit(value, precision)
}

fn signed(value: u128, negative: bool) -> Result<i128, SqlError> {
    let value = i128::try_from(value).map_err(|_| overflow("numeric"))?;
    Ok(if negative { -value } else { value })
}

/// A 256-bit product, so that 38-digit operands can be multiplied before they are scaled down.
struct Wide {
    high: u128,
    low: u128,
}

impl Wide {
    fn product(a: u128, b: u128) -> Self {
        const HALF: u128 = u64::MAX as u128;
        let (a_high, a_low, b_high, b_low) = (a >> 64, a & HALF, b >> 64, b & HALF);
        let lowest = a_low * b_low;
        let middle = a_high * b_low + (lowest >> 64);
        let (middle, carry) = middle.overflowing_add(a_low * b_high);
        let low = (middle << 64) | (lowest & HALF);
        let high = a_high * b_high + (middle >> 64) + (u128::from(carry) << 64);
        Self { high, low }
    }

    /// Quotient and rest; `None` if the quotient has more than 128 bits.
    fn divide(&self, divisor: u128) -> Option<(u128, u128)> {
        if self.high == 0 {
            return Some((self.low / divisor, self.low % divisor));
        }
        if self.high >= divisor {
            return None;
        }
        let (mut rest, mut quotient) = (self.high, 0_u128);
        for bit in (0..128).rev() {
            let carry = rest >> 127;
            rest = (rest << 1) | ((self.low >> bit) & 1);
            quotient <<= 1;
            if carry == 1 || rest >= divisor {
                rest = rest.wrapping_sub(divisor);
                quotient |= 1;
            }
        }
        Some((quotient, rest))
    }
}
