//! Unified social credit codes, GB 32100-2015, and organisation codes, GB 11714 (reference 4.3, 4.4).
//!
//! Always: only the form and the check character are judged; whether the code was ever given out is for the register to say.

use std::sync::Arc;

use arrow::array::{BooleanArray, StringArray};
use arrow::datatypes::DataType;
use datafusion::logical_expr::ScalarUDF;

use super::scalar::{Scalar, Takes};

const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
/// 3^i mod 31.
const CREDIT_WEIGHTS: [usize; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];
const ORG_WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];

/// The 18 characters of a well-formed code: letters and digits of the alphabet, positions 3 to 8 digits.
fn credit_form(text: &str) -> Option<[u8; 18]> {
    let code: [u8; 18] = text.trim().as_bytes().try_into().ok()?;
    let digits = code[2..8].iter().all(u8::is_ascii_digit);
    (digits && code.iter().all(|c| ALPHABET.contains(c))).then_some(code)
}

fn credit_valid(text: &str) -> bool {
    credit_form(text).is_some_and(|code| {
        let index = |c: &u8| ALPHABET.iter().position(|a| a == c).unwrap_or(0);
        let sum: usize = code[..17].iter().zip(CREDIT_WEIGHTS).map(|(c, w)| index(c) * w).sum();
        code[17] == ALPHABET[(31 - sum % 31) % 31]
    })
}

/// Characters 9 to 17 of a well-formed code.
fn organisation(text: &str) -> Option<String> {
    credit_form(text).map(|code| code[8..17].iter().map(|b| char::from(*b)).collect())
}

fn organisation_valid(text: &str) -> bool {
    let normal: Vec<u8> = text.trim().bytes().filter(|b| *b != b'-').collect();
    let Ok(code) = <[u8; 9]>::try_from(normal) else { return false };
    if code == *b"000000000" || !code[..8].iter().all(|c| c.is_ascii_digit() || c.is_ascii_uppercase()) {
        return false;
    }
    let value = |c: &u8| u32::from(if c.is_ascii_digit() { c - b'0' } else { c - b'A' + 10 });
    let sum: u32 = code[..8].iter().zip(ORG_WEIGHTS).map(|(c, w)| value(c) * w).sum();
    let check = match 11 - sum % 11 {
        10 => b'X',
        11 => b'0',
        digit => b'0' + u8::try_from(digit).unwrap_or(0),
    };
    code[8] == check
}

fn judge(name: &str, valid: fn(&str) -> bool) -> ScalarUDF {
    Scalar::new(name, &[Takes::Text], DataType::Boolean).does(move |call| {
        let text = call.text(0)?;
        Ok(Arc::new((0..call.rows).map(|row| text.get(row).map(valid)).collect::<BooleanArray>()))
    })
}

/// `uscc_valid(text)`: form and check character of GB 32100.
pub(super) fn uscc_valid() -> ScalarUDF {
    judge("uscc_valid", credit_valid)
}

/// `orgcode_valid(text)`: GB 11714 with or without the hyphen; nine zeros are not valid.
pub(super) fn orgcode_valid() -> ScalarUDF {
    judge("orgcode_valid", organisation_valid)
}

/// `uscc_orgcode(text)`: the organisation code inside a well-formed credit code, without hyphen, else NULL.
pub(super) fn uscc_orgcode() -> ScalarUDF {
    Scalar::new("uscc_orgcode", &[Takes::Text], DataType::Utf8).does(|call| {
        let text = call.text(0)?;
        Ok(Arc::new((0..call.rows).map(|row| text.get(row).and_then(organisation)).collect::<StringArray>()))
    })
}
