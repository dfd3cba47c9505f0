//! datetime: `YYYY-MM-DD HH:MM[:SS[.f…]]` (a `T` for the space; the time may be missing), to the microsecond. A time that names a zone
//! (`Z`) is no wall clock.

use chrono::{DateTime, NaiveDate};

use super::{Misfit, Value};

const FORM: Misfit = "text that is no date and time";
/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// A time as people write it: `yyyy-mm-dd hh:mm:ss[.ffffff]`.
pub(super) fn shown(micros: i64) -> String {
    let form = if micros % 1_000_000 == 0 { "%Y-%m-%d %H:%M:%S" } else { "%Y-%m-%d %H:%M:%S%.6f" };
    DateTime::from_timestamp_micros(micros).map_or_else(|| micros.to_string(), |t| t.format(form).to_string())
}

/// A day as people write it.
pub(super) fn shown_day(days: i32) -> String {
    let at = DateTime::from_timestamp_micros(i64::from(days) * DAY);
    at.map_or_else(|| days.to_string(), |t| t.format("%Y-%m-%d").to_string())
}

/// Microseconds since 1970-01-01.
pub(super) fn datetime(value: Value<'_>) -> Result<Option<i64>, Misfit> {
    match value {
        Value::Null => Ok(None),
        Value::Text(text) => parse(text).map(Some).ok_or(FORM),
        Value::Micros(v) => Ok(Some(v)),
        Value::Day(v) => Ok(Some(i64::from(v) * DAY)),
        Value::Int(_) | Value::Real(_) | Value::Decimal(_, _) => Err("a number"),
        Value::Bytes(_) => Err("bytes"),
    }
}

/// Days since 1970-01-01, of a text without a time.
pub(super) fn date(value: Value<'_>) -> Result<Option<i32>, Misfit> {
    let micros = datetime(value)?;
    micros.map(|m| i32::try_from(m.div_euclid(DAY)).map_err(|_| FORM)).transpose()
}

fn parse(text: &[u8]) -> Option<i64> {
    let (date, time) = text.split_at_checked(10)?;
    let number = |from: &[u8]| {
        from.iter().try_fold(0_u32, |n, b| b.is_ascii_digit().then(|| n * 10 + u32::from(b - b'0')))
    };
    if date[4] != b'-' || date[7] != b'-' {
        return None;
    }
    let year = i32::try_from(number(&date[..4])?).ok()?;
    let day = NaiveDate::from_ymd_opt(year, number(&date[5..7])?, number(&date[8..])?)?;
    let (hour, minute, second, micros) = match time {
        [] => (0, 0, 0, 0),
        [b' ' | b'T', h1, h2, b':', m1, m2, b':', s1, s2, fraction @ ..] => {
            (number(&[*h1, *h2])?, number(&[*m1, *m2])?, number(&[*s1, *s2])?, micros(fraction)?)
        }
        [b' ' | b'T', h1, h2, b':', m1, m2] => (number(&[*h1, *h2])?, number(&[*m1, *m2])?, 0, 0),
        _ => return None,
    };
    day.and_hms_micro_opt(hour, minute, second, micros).map(|t| t.and_utc().timestamp_micros())
}

/// `.f` to `.ffffff`; a seventh digit (datetime2) only where it is 0.
fn micros(fraction: &[u8]) -> Option<u32> {
    let digits = match fraction {
        [] => return Some(0),
        [b'.', digits @ ..] if !digits.is_empty() => digits,
        _ => return None,
    };
    let digits = match digits {
        [six @ .., b'0'] if six.len() == 6 => six,
        other => other,
    };
    let places = u32::try_from(digits.len()).ok().filter(|n| *n <= 6)?;
    let value =
        digits.iter().try_fold(0_u32, |n, b| b.is_ascii_digit().then(|| n * 10 + u32::from(b - b'0')))?;
    Some(value * 10_u32.pow(6 - places))
}

#[cfg(test)]
mod tests {
    use super::{Value, datetime};

    #[test]
    fn every_form_of_a_datetime_is_read_and_nothing_else() {
        let micros = |text: &str| datetime(Value::Text(text.as_bytes())).ok().flatten();
        assert_eq!(micros("1970-01-01 00:00:00.000"), Some(0));
        assert_eq!(micros("1970-01-02"), Some(86_400_000_000));
        assert_eq!(micros("1970-01-01T00:00:01.5"), Some(1_500_000));
        assert_eq!(micros("1970-01-01 00:01"), Some(60_000_000));
        assert_eq!(micros("1970-01-01 00:00:00.997"), Some(997_000));
        assert_eq!(micros("1970-01-01 00:00:00.1234560"), Some(123_456));
        assert_eq!(micros("1753-01-01 00:00:00.000"), Some(-6_847_804_800_000_000));
        assert_eq!(micros("9999-12-31 23:59:59.997"), Some(253_402_300_799_997_000));
        for bad in [
            "",
            "19700101",
            "1970-13-01",
            "1970-02-30 00:00:00",
            "1970-01-01 24:00:00",
            "1970-01-01 00:00:00.",
            "1970-01-01 00:00:00.1234567",
            "1970-01-01 0:00:00",
            "1970-01-01 24:00",
            "1970-01-01 8:30",
            "1970-01-01T00:00:00Z",
            "1970-01-01 00:00Z",
        ] {
            assert_eq!(micros(bad), None, "{bad}");
        }
    }
}
