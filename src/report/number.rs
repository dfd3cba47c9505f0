//! How numbers are written on the page.
//!
//! Always: integer arithmetic; money is written from fen exactly; thousands are grouped by commas; what cannot be told is a dash.
//! Must not know: what a number stands for.

use crate::clock;

/// What stands where there is no number.
pub(super) const NOTHING: &str = "—";
/// Digits of a digest that are shown; the whole one is the title.
const DIGEST_SHOWN: usize = 12;

/// `-1,234,567`.
#[must_use]
pub fn count(n: impl Into<i128>) -> String {
    let n = n.into();
    format!("{}{}", minus(n), grouped(n.unsigned_abs()))
}

/// Yuan of fen: `-1,234.05`.
#[must_use]
pub fn yuan(fen: impl Into<i128>) -> String {
    let fen = fen.into();
    let (yuan, rest) = (fen.unsigned_abs() / 100, fen.unsigned_abs() % 100);
    format!("{}{}.{rest:02}", minus(fen), grouped(yuan))
}

/// Yuan of fen without groups, for a cell: `-1234.05`.
pub(super) fn plain_yuan(fen: i128) -> String {
    format!("{}{}.{:02}", minus(fen), fen.unsigned_abs() / 100, fen.unsigned_abs() % 100)
}

/// Yuan in units of so many digits after the point: 12340500 of four digits is `1,234.0500`.
pub(super) fn decimal(n: i128, digits: u32) -> String {
    let Some(unit) = 10_u128.checked_pow(digits) else { return count(n) };
    let (whole, rest) = (n.unsigned_abs() / unit, n.unsigned_abs() % unit);
    let width = usize::try_from(digits).unwrap_or(0);
    let point = if digits == 0 { String::new() } else { format!(".{rest:0width$}") };
    format!("{}{}{point}", minus(n), grouped(whole))
}

fn minus(n: i128) -> &'static str {
    if n < 0 { "-" } else { "" }
}

fn grouped(n: u128) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A share with two decimals, cut off and never rounded: 100.00% is said only where nothing is missing, 0.00% only where there is
/// nothing.
#[must_use]
pub fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return NOTHING.to_owned();
    }
    let hundredths = u128::from(part) * 10_000 / u128::from(whole);
    if hundredths == 0 && part > 0 {
        return "<0.01%".to_owned();
    }
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}

/// How many times the one is the other, with two decimals, rounded.
pub(super) fn times(left: i128, right: i128) -> String {
    if right == 0 {
        return NOTHING.to_owned();
    }
    let divisor = right.unsigned_abs();
    let hundredths = left.unsigned_abs().saturating_mul(100).saturating_add(divisor / 2) / divisor;
    let sign = if hundredths > 0 && (left < 0) != (right < 0) { "-" } else { "" };
    format!("{sign}{}.{:02}", hundredths / 100, hundredths % 100)
}

/// `12.3`; a stage that an earlier process finished took no time of this one.
pub(super) fn seconds(s: f64) -> String {
    if s > 0.0 { format!("{s:.1}") } else { NOTHING.to_owned() }
}

/// `1,234`, from a float that is no count.
pub(super) fn whole(x: f64) -> String {
    if !x.is_finite() || x <= 0.0 {
        return NOTHING.to_owned();
    }
    let digits = format!("{x:.0}");
    digits.parse::<u64>().map_or(digits, count)
}

/// Bytes as MiB with one decimal.
pub(super) fn mebibytes(bytes: u64) -> String {
    if bytes == 0 {
        return NOTHING.to_owned();
    }
    let tenths = u128::from(bytes) * 10 / (1 << 20);
    let whole = u64::try_from(tenths / 10).unwrap_or(u64::MAX);
    format!("{}.{} MiB", count(whole), tenths % 10)
}

/// The first digits of a digest.
pub(super) fn short(digest: &str) -> String {
    if digest.is_empty() {
        return NOTHING.to_owned();
    }
    digest.chars().take(DIGEST_SHOWN).collect()
}

/// `1:02:03` between two times of the clock.
pub(super) fn took(started: &str, finished: &str) -> String {
    let (Some(from), Some(to)) = (clock::moment(started), clock::moment(finished)) else {
        return NOTHING.to_owned();
    };
    let s = (to - from).num_seconds().max(0);
    format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}
