//! Values of PostgreSQL that no Arrow type of ours holds, as the server itself writes them: infinity, NaN, years before 1 and after
//! 9999.

use super::decode::{EPOCH_DAYS, fixed};
use crate::civil;

const DAY_MICROS: i64 = 86_400_000_000;

/// Of a double precision.
pub(super) fn float(field: &[u8]) -> Option<String> {
    let value = fixed(field).map(f64::from_be_bytes).ok()?;
    let written = match value {
        v if v.is_nan() => "NaN",
        f64::INFINITY => "Infinity",
        f64::NEG_INFINITY => "-Infinity",
        _ => return None,
    };
    Some(written.to_owned())
}

/// Of a numeric.
pub(super) fn numeric(field: &[u8]) -> Option<String> {
    let sign = u16::from_be_bytes([*field.get(4)?, *field.get(5)?]);
    let written = match sign {
        0xC000 => "NaN",
        0xD000 => "Infinity",
        0xF000 => "-Infinity",
        _ => return None,
    };
    Some(written.to_owned())
}

/// Of a date.
pub(super) fn date(field: &[u8]) -> Option<String> {
    match fixed(field).map(i32::from_be_bytes).ok()? {
        i32::MAX => Some("infinity".to_owned()),
        i32::MIN => Some("-infinity".to_owned()),
        days => {
            let (year, rest, era) = day(i64::from(days) + i64::from(EPOCH_DAYS));
            Some(format!("{year:04}-{rest}{era}"))
        }
    }
}

/// Of a timestamp without a zone.
pub(super) fn time(field: &[u8]) -> Option<String> {
    moment(field, "")
}

/// Of a timestamp with a zone, in UTC.
pub(super) fn instant(field: &[u8]) -> Option<String> {
    moment(field, "+00")
}

fn moment(field: &[u8], zone: &str) -> Option<String> {
    let micros = fixed(field).map(i64::from_be_bytes).ok()?;
    match micros {
        i64::MAX => return Some("infinity".to_owned()),
        i64::MIN => return Some("-infinity".to_owned()),
        _ => {}
    }
    let (year, rest, era) = day(micros.div_euclid(DAY_MICROS) + i64::from(EPOCH_DAYS));
    let of_day = micros.rem_euclid(DAY_MICROS);
    let (seconds, fraction) = (of_day / 1_000_000, of_day % 1_000_000);
    let clock = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    let fraction = match fraction {
        0 => String::new(),
        some => format!(".{some:06}").trim_end_matches('0').to_owned(),
    };
    Some(format!("{year:04}-{rest} {clock}{fraction}{zone}{era}"))
}

/// A day since 1970-01-01 by the proleptic Gregorian calendar: the year of its era, `mm-dd`, and ` BC` or nothing.
fn day(since: i64) -> (i64, String, &'static str) {
    let (year, month, day) = civil::date_of(since);
    let rest = format!("{month:02}-{day:02}");
    // There is no year 0.
    if year > 0 { (year, rest, "") } else { (1 - year, rest, " BC") }
}

#[cfg(test)]
mod tests {
    use super::{date, float, instant, numeric, time};

    #[test]
    fn what_does_not_fit_is_written_as_the_server_writes_it() {
        // Days and microseconds since 2000-01-01.
        for (days, written) in [
            (i32::MAX, "infinity"),
            (i32::MIN, "-infinity"),
            (0, "2000-01-01"),
            (-730_120, "0001-12-31 BC"),
            (-746_117, "0044-03-15 BC"),
            (2_921_940, "10000-01-01"),
            (2_145_031_948, "5874897-12-31"),
        ] {
            assert_eq!(date(&days.to_be_bytes()).as_deref(), Some(written));
        }
        let micros = -746_117_i64 * 86_400_000_000 + 3_661_500_000;
        assert_eq!(time(&micros.to_be_bytes()).as_deref(), Some("0044-03-15 01:01:01.5 BC"));
        assert_eq!(instant(&micros.to_be_bytes()).as_deref(), Some("0044-03-15 01:01:01.5+00 BC"));
        assert_eq!(instant(&i64::MIN.to_be_bytes()).as_deref(), Some("-infinity"));
        assert_eq!(float(&f64::NEG_INFINITY.to_be_bytes()).as_deref(), Some("-Infinity"));
        assert_eq!(numeric(&[0, 0, 0, 0, 0xC0, 0, 0, 0]).as_deref(), Some("NaN"));
        assert_eq!(numeric(&[0, 0, 0, 0, 0, 0, 0, 0]), None);
    }
}
