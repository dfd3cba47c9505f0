//! Numbers as text where that is more than their digits: float's and money's styles.
//!
//! Always: the digits that SQL Server shows, and an error for a style that it does not have.

use super::super::value::SqlError;
use super::decimal;
use super::error::fail;

/// money in style 0 (two places), 1 (with commas), 2 (four places).
pub fn money(n: i128, style: i32) -> Result<String, SqlError> {
    if style == 2 || style == 126 {
        return Ok(decimal::text(n, 4));
    }
    let two = decimal::text(decimal::rescale(n, 4, 2)?, 2);
    match style {
        0 => Ok(two),
        1 => {
            let (whole, fraction) = two.split_once('.').unwrap_or((&two, "00"));
            let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
            let mut grouped = String::new();
            for (at, digit) in digits.chars().enumerate() {
                if at > 0 && (digits.len() - at) % 3 == 0 {
                    grouped.push(',');
                }
                grouped.push(digit);
            }
            Ok(format!("{sign}{grouped}.{fraction}"))
        }
        _ => Err(bad_style(style, "money")),
    }
}

fn bad_style(style: i32, from: &str) -> SqlError {
    fail(
        281,
        format!("{style} is not a valid style number when converting from {from} to a character string."),
    )
}

/// float and real in style 0 (six digits), 1 (8), 2 (16) and 3 (as many as tell it apart).
pub fn float(n: f64, style: i32, real: bool) -> Result<String, SqlError> {
    match style {
        0 => Ok(general(n)),
        1 => Ok(scientific(n, 7)),
        2 => Ok(scientific(n, 15)),
        3 => Ok(scientific(n, if real { 8 } else { 16 })),
        _ => Err(bad_style(style, "float")),
    }
}

/// `1.2345678e+005`: `places` after the point, three digits of exponent.
fn scientific(n: f64, places: usize) -> String {
    let text = format!("{n:.places$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:03}", exponent.abs())
}

/// C's `%g`: six digits, zeros at the end left out.
fn general(n: f64) -> String {
    if n == 0.0 {
        return "0".to_owned();
    }
    let rounded = format!("{n:.5e}");
    let exponent: i32 = rounded.split_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or(0);
    let bare = |text: &str| {
        if text.contains('.') {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            text.to_owned()
        }
    };
    if !(-4..6).contains(&exponent) {
        let text = scientific(n, 5);
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "+000"));
        return format!("{}e{exponent}", bare(mantissa));
    }
    let places = usize::try_from(5 - exponent).unwrap_or(0);
    bare(&format!("{n:.places$}"))
}
