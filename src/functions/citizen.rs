//! The citizen's ID number, GB 11643 (reference 4.1): 18 digits with a check character (ISO 7064 MOD 11-2), or the old 15 digits.
//!
//! Always: `id_check` answers the first fault in the order of the reference; `id_valid` is true for a faultless 18-digit number only;
//! the 18-digit form of a 15-digit number is a candidate, never a fact, so only rules may ask for it.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Date32Array, Int64Array, StringArray};
use arrow::datatypes::DataType;
use chrono::NaiveDate;
use datafusion::logical_expr::ScalarUDF;

use super::date::{days, real};
use super::scalar::{Scalar, Takes};
use super::text::half_width;

const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const CHECK: &[u8; 11] = b"10X98765432";
/// Province prefixes; a county that was abolished is normal, so no more of the region is checked.
const PROVINCES: [u8; 35] = [
    11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46, 50, 51, 52, 53, 54,
    61, 62, 63, 64, 65, 71, 81, 82, 83,
];

/// What is the matter with a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum IdCheck {
    Ok,
    Ok15,
    Empty,
    Length,
    Charset,
    Province,
    Date,
    Range,
    Digit,
}

impl IdCheck {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Ok15 => "ok15",
            Self::Empty => "empty",
            Self::Length => "length",
            Self::Charset => "charset",
            Self::Province => "province",
            Self::Date => "date",
            Self::Range => "range",
            Self::Digit => "digit",
        }
    }
}

/// A number taken apart.
struct Citizen {
    verdict: IdCheck,
    /// 18 characters when the verdict is `Ok` or `Ok15`.
    number: String,
    /// Days since 1970-01-01.
    birth: Option<i32>,
}

impl Citizen {
    fn fault(verdict: IdCheck) -> Self {
        Self { verdict, number: String::new(), birth: None }
    }

    fn good(&self) -> bool {
        matches!(self.verdict, IdCheck::Ok | IdCheck::Ok15)
    }

    /// 1 male, 2 female: parity of the sequence.
    fn sex(&self) -> Option<&'static str> {
        let digit = self.number.as_bytes().get(16).filter(|_| self.good())?;
        Some(if digit % 2 == 1 { "1" } else { "2" })
    }
}

fn check_character(digits: &[u8]) -> u8 {
    let sum: u32 = digits.iter().zip(WEIGHTS).map(|(d, w)| u32::from(d - b'0') * w).sum();
    CHECK[(sum % 11) as usize]
}

fn number(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |n, d| n * 10 + u32::from(d - b'0'))
}

/// Trims, makes full-width characters ASCII, upper-cases, and checks in the order of the reference.
fn examine(text: &str, as_of: NaiveDate) -> Citizen {
    let normal = half_width(text).trim().to_uppercase();
    let bytes = normal.as_bytes();
    let charset = match bytes.len() {
        0 => return Citizen::fault(IdCheck::Empty),
        15 => bytes.iter().all(u8::is_ascii_digit),
        18 => bytes[..17].iter().all(u8::is_ascii_digit) && (bytes[17].is_ascii_digit() || bytes[17] == b'X'),
        _ if normal.chars().count() == 15 || normal.chars().count() == 18 => false,
        _ => return Citizen::fault(IdCheck::Length),
    };
    if !charset {
        return Citizen::fault(IdCheck::Charset);
    }
    let old = bytes.len() == 15;
    let digits: Vec<u8> = if old {
        // Sequences 996 to 999 of a 15-digit number marked centenarians.
        let century: &[u8] = if number(&bytes[12..15]) >= 996 { b"18" } else { b"19" };
        [&bytes[..6], century, &bytes[6..]].concat()
    } else {
        bytes[..17].to_vec()
    };
    if !PROVINCES.contains(&u8::try_from(number(&digits[..2])).unwrap_or(0)) {
        return Citizen::fault(IdCheck::Province);
    }
    let (year, month, day) = (number(&digits[6..10]), number(&digits[10..12]), number(&digits[12..14]));
    let Some(birth) = real(year, month, day) else { return Citizen::fault(IdCheck::Date) };
    if year < 1900 || birth > as_of {
        return Citizen::fault(IdCheck::Range);
    }
    let check = check_character(&digits);
    if !old && bytes[17] != check {
        return Citizen::fault(IdCheck::Digit);
    }
    let number = digits.iter().chain([&check]).map(|b| char::from(*b)).collect();
    let verdict = if old { IdCheck::Ok15 } else { IdCheck::Ok };
    Citizen { verdict, number, birth: Some(days(birth)) }
}

/// `residence_card(text)`: whether it is the number of a foreigner's permanent residence card as issued since 2023-12: 18 digits that begin
/// with 9, a real birth date, the check character of GB 11643; NULL for NULL.
pub(super) fn residence_card(as_of: NaiveDate) -> ScalarUDF {
    Scalar::new("residence_card", &[Takes::Text], DataType::Boolean).does(move |call| {
        let text = call.text(0)?;
        let one = |row: usize| text.get(row).map(|t| is_residence_card(t, as_of));
        Ok(Arc::new((0..call.rows).map(one).collect::<BooleanArray>()))
    })
}

fn is_residence_card(text: &str, as_of: NaiveDate) -> bool {
    let normal = half_width(text).trim().to_uppercase();
    let bytes = normal.as_bytes();
    if bytes.len() != 18 || bytes[0] != b'9' || !bytes[..17].iter().all(u8::is_ascii_digit) {
        return false;
    }
    let birth = real(number(&bytes[6..10]), number(&bytes[10..12]), number(&bytes[12..14]));
    birth.is_some_and(|birth| birth <= as_of) && bytes[17] == check_character(&bytes[..17])
}

fn over(
    name: &str,
    as_of: NaiveDate,
    gives: DataType,
    build: impl Fn(&mut dyn Iterator<Item = Option<Citizen>>) -> ArrayRef + Send + Sync + 'static,
) -> ScalarUDF {
    Scalar::new(name, &[Takes::Text], gives).does(move |call| {
        let text = call.text(0)?;
        Ok(build(&mut (0..call.rows).map(|row| text.get(row).map(|t| examine(t, as_of)))))
    })
}

/// `id_check(text)`: ok, ok15, empty, length, charset, province, date, range or digit; NULL is `empty`.
pub(super) fn id_check(as_of: NaiveDate) -> ScalarUDF {
    over("id_check", as_of, DataType::Utf8, |rows| {
        Arc::new(rows.map(|c| Some(c.map_or(IdCheck::Empty, |c| c.verdict).name())).collect::<StringArray>())
    })
}

/// `id_valid(text)`: true for a faultless 18-digit number only; NULL for NULL.
pub(super) fn id_valid(as_of: NaiveDate) -> ScalarUDF {
    over("id_valid", as_of, DataType::Boolean, |rows| {
        Arc::new(rows.map(|c| c.map(|c| c.verdict == IdCheck::Ok)).collect::<BooleanArray>())
    })
}

/// `id18(text)`, also called `id15_to_18`: the 18-digit candidate of a good 15-digit number, else NULL.
pub(super) fn id18(as_of: NaiveDate, name: &str) -> ScalarUDF {
    over(name, as_of, DataType::Utf8, |rows| {
        let candidate = |c: Citizen| (c.verdict == IdCheck::Ok15).then_some(c.number);
        Arc::new(rows.map(|c| c.and_then(candidate)).collect::<StringArray>())
    })
}

/// `id_sex(text)`: '1' male or '2' female of a good number (15 or 18 digits), else NULL.
pub(super) fn id_sex(as_of: NaiveDate) -> ScalarUDF {
    over("id_sex", as_of, DataType::Utf8, |rows| {
        Arc::new(rows.map(|c| c.and_then(|c| c.sex())).collect::<StringArray>())
    })
}

/// `id_birth(text)`: the birth date in a good number (15 or 18 digits), else NULL.
pub(super) fn id_birth(as_of: NaiveDate) -> ScalarUDF {
    over("id_birth", as_of, DataType::Date32, |rows| {
        Arc::new(rows.map(|c| c.and_then(|c| c.birth)).collect::<Date32Array>())
    })
}
/// `id_apart(a, b)`: how many slips lie between two numbers as they are written: a wrong, a missing, an extra digit, or two neighbours that were
/// exchanged. Check digits follow from the others and count only where nothing else differs; 15 digits are compared with the same 15 of 18.
pub(super) fn id_apart() -> ScalarUDF {
    Scalar::new("id_apart", &[Takes::Text, Takes::Text], DataType::Int64).does(|call| {
        let (a, b) = (call.text(0)?, call.text(1)?);
        let one = |row: usize| Some(apart(a.get(row)?, b.get(row)?));
        Ok(Arc::new((0..call.rows).map(one).collect::<Int64Array>()))
    })
}

fn apart(a: &str, b: &str) -> i64 {
    let whole = |text: &str| text.is_ascii() && text.len() == 18;
    let body = |text: &str, short: bool| match (whole(text), short) {
        (true, true) => format!("{}{}", &text[..6], &text[8..17]),
        (true, false) => text[..17].to_owned(),
        (false, _) => text.to_owned(),
    };
    let short = a.len() != b.len();
    let slips = strsim::osa_distance(&body(a, short), &body(b, short)).max(usize::from(a != b));
    i64::try_from(slips).unwrap_or(i64::MAX)
}
