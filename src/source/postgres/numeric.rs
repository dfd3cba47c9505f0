//! PostgreSQL's binary numeric → the unscaled integer at a column's scale, exactly.
//!
//! Form: number of base-10000 digits, weight of the first, sign, digits after the point as shown, digits; 16 bits each.

use super::super::decode::Misfit;

const NEGATIVE: u16 = 0x4000;
const POSITIVE: u16 = 0;

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

/// The unscaled integer.
pub(super) fn unscaled(bytes: &[u8], precision: u8, scale: i8) -> Result<i128, Misfit> {
    const CUT: Misfit = "a number that was cut off";
    let count = usize::from(word(bytes, 0).ok_or(CUT)?);
    let weight = word(bytes, 2).ok_or(CUT)?.cast_signed();
    let sign = word(bytes, 4).ok_or(CUT)?;
    if sign != POSITIVE && sign != NEGATIVE {
        return Err("no number (NaN or infinity)");
    }
    if bytes.len() != 8 + count * 2 {
        return Err(CUT);
    }
    if let Some(short) = short(&bytes[8..], weight, precision, scale) {
        return Ok(if sign == NEGATIVE { -short } else { short });
    }
    let mut value: i128 = 0;
    // The power of ten that the digit at hand counts in, at the column's scale.
    let mut at = 4 * i32::from(weight) + i32::from(scale);
    let mut last = 0;
    for digit in bytes[8..].chunks_exact(2) {
        let digit = i128::from(u16::from_be_bytes([digit[0], digit[1]]));
        let (places, digit) = match at {
            0.. => (4, digit),
            -3..0 => {
                let by = power(-at).ok_or(TOO_FINE)?;
                if digit % by != 0 {
                    return Err(TOO_FINE);
                }
                (4 + at, digit / by)
            }
            _ if digit == 0 => (0, 0),
            _ => return Err(TOO_FINE),
        };
        let shifted = power(places).and_then(|p| value.checked_mul(p));
        value = shifted.and_then(|v| v.checked_add(digit)).ok_or(TOO_LONG)?;
        last = at;
        at -= 4;
    }
    if last > 0 && value != 0 {
        value = power(last).and_then(|p| value.checked_mul(p)).ok_or(TOO_LONG)?;
    }
    if value >= power(i32::from(precision)).ok_or(TOO_LONG)? {
        return Err(TOO_LONG);
    }
    Ok(if sign == NEGATIVE { -value } else { value })
}

/// A number that 64 bits hold all the way, as almost every amount is; `None`: it has to be looked at more closely.
fn short(digits: &[u8], weight: i16, precision: u8, scale: i8) -> Option<i128> {
    // 10^18 is the largest power that is used.
    if digits.len() > 8 || precision > 18 {
        return None;
    }
    let groups = digits.chunks_exact(2);
    // The power of ten that the last digit counts in, at the column's scale.
    let last = 4 * (i32::from(weight) + 1) - 2 * i32::try_from(digits.len()).ok()? + i32::from(scale);
    let all = groups.fold(0_u64, |n, g| n * 10_000 + u64::from(u16::from_be_bytes([g[0], g[1]])));
    let power = |of: i32| u64::try_from(*POWERS.get(usize::try_from(of).ok()?)?).ok();
    let value = match last {
        0.. => all.checked_mul(power(last)?)?,
        _ => {
            let by = power(-last)?;
            if all % by != 0 {
                return None;
            }
            all / by
        }
    };
    (value < power(precision.into())?).then_some(value.into())
}

const TOO_LONG: Misfit = "a number with more digits than declared";
const TOO_FINE: Misfit = "a number with more digits after the point than declared";

const POWERS: [i128; 39] = {
    let mut all = [1_i128; 39];
    let mut at = 1;
    while at < 39 {
        all[at] = all[at - 1] * 10;
        at += 1;
    }
    all
};

fn power(of: i32) -> Option<i128> {
    POWERS.get(usize::try_from(of).ok()?).copied()
}

#[cfg(test)]
mod tests {
    use super::{TOO_FINE, TOO_LONG, unscaled};

    fn form(weight: i16, sign: u16, digits: &[u16]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(u16::try_from(digits.len()).unwrap().to_be_bytes());
        bytes.extend(weight.to_be_bytes());
        bytes.extend(sign.to_be_bytes());
        bytes.extend([0, 2]);
        digits.iter().for_each(|d| bytes.extend(d.to_be_bytes()));
        bytes
    }

    #[test]
    fn digits_of_base_ten_thousand_become_the_integer() {
        // 12345678.9 at scale 2; 0.01; -0.0001 at scale 4; zero has no digits; 10000.
        assert_eq!(unscaled(&form(1, 0, &[1234, 5678, 9000]), 10, 2), Ok(1_234_567_890));
        assert_eq!(unscaled(&form(-1, 0, &[100]), 10, 2), Ok(1));
        assert_eq!(unscaled(&form(-1, 0x4000, &[1]), 10, 4), Ok(-1));
        assert_eq!(unscaled(&form(0, 0, &[]), 10, 2), Ok(0));
        assert_eq!(unscaled(&form(1, 0, &[1]), 10, 2), Ok(1_000_000));
        // 36 digits before the point and two behind: ten groups, of which the last is cut.
        let long: Vec<u16> = std::iter::repeat_n(9999, 9).chain([9900]).collect();
        assert_eq!(unscaled(&form(8, 0, &long), 38, 2), Ok(10_i128.pow(38) - 1));
        let nines: Vec<u16> = std::iter::once(99).chain([9999; 9]).collect();
        assert_eq!(unscaled(&form(9, 0, &nines), 38, 0), Ok(10_i128.pow(38) - 1));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(unscaled(&form(-1, 0, &[1]), 10, 2), Err(TOO_FINE));
        assert_eq!(unscaled(&form(2, 0, &[1]), 10, 2), Err(TOO_LONG));
        assert!(unscaled(&form(0, 0xC000, &[]), 10, 2).is_err());
        assert!(unscaled(&[0, 1], 10, 2).is_err());
    }
}
