//! Dates and times: the common form of all of SQL Server's, text to it and back, and the rounding of each type.
//!
//! Always: a moment is whole days since 0001-01-01 and whole units of 100 ns; every type's range is checked on the way in.

use super::super::value::{Datum, SqlError, SqlType};
use super::error::fail;

pub const DAY: i64 = 864_000_000_000;
const SECOND: i64 = 10_000_000;
const MINUTE: i64 = 60 * SECOND;
/// 1900-01-01.
pub const EPOCH_1900: i64 = 693_595;
/// 9999-12-31.
const LAST_DAY: i64 = 3_652_058;
/// 1753-01-01, where datetime begins.
const FIRST_DATETIME: i64 = 639_905;
/// Ticks of 1/300 s in a day.
pub const TICKS: i64 = 25_920_000;

/// Any date or time: local days and time of day, and the offset from UTC in minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    pub days: i64,
    pub time: i64,
    pub offset: i16,
}

pub fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let length = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=9999).contains(&year) || !(1..=length).contains(&day) {
        return None;
    }
    // Counted from March, so that the leap day comes last.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    Some(
        365 * y + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400) + (153 * m + 2) / 5 + day - 1 - 306,
    )
}

/// Year, month, day.
pub fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 306;
    let era = shifted.div_euclid(146_097);
    let in_era = shifted.rem_euclid(146_097);
    let year = (in_era - in_era / 1460 + in_era / 36_524 - in_era / 146_096) / 365;
    let in_year = in_era - (365 * year + year / 4 - year / 100);
    let month = (5 * in_year + 2) / 153;
    let day = in_year - (153 * month + 2) / 5 + 1;
    let year = year + era * 400;
    if month < 10 { (year, month + 3, day) } else { (year + 1, month - 9, day) }
}

impl Moment {
    /// The moment of a stored value.
    pub fn of(value: &Datum) -> Option<Self> {
        let local = |days: i64, time: i64| Some(Self { days, time, offset: 0 });
        let wide = |n: u64| i64::try_from(n).unwrap_or(0);
        match value {
            Datum::Date(days) => local(i64::from(*days), 0),
            Datum::Time(time) => local(EPOCH_1900, wide(*time)),
            Datum::DateTime { days, ticks } => {
                local(EPOCH_1900 + i64::from(*days), (i64::from(*ticks) * 100_000 + 1) / 3)
            }
            Datum::SmallDateTime { days, minutes } => {
                local(EPOCH_1900 + i64::from(*days), i64::from(*minutes) * MINUTE)
            }
            Datum::DateTime2 { days, time } => local(i64::from(*days), wide(*time)),
            Datum::DateTimeOffset { days, time, offset } => {
                let all = i64::from(*days) * DAY + wide(*time) + i64::from(*offset) * MINUTE;
                Some(Self { days: all.div_euclid(DAY), time: all.rem_euclid(DAY), offset: *offset })
            }
            _ => None,
        }
    }

    /// The value of the type at this moment, rounded as the type rounds. `None`: out of its range.
    pub fn stored(self, kind: &SqlType) -> Option<Datum> {
        if !(0..=LAST_DAY).contains(&self.days) {
            return None;
        }
        let small = |days: i64| u32::try_from(days).ok();
        match kind {
            SqlType::Date => Some(Datum::Date(small(self.days)?)),
            SqlType::Time { scale } => {
                let time = round(self.time, *scale) % DAY;
                Some(Datum::Time(u64::try_from(time).ok()?))
            }
            SqlType::DateTime => {
                let ticks = (self.time * 3 + 50_000) / 100_000;
                let days = self.days + ticks / TICKS;
                let ticks = u32::try_from(ticks % TICKS).ok()?;
                let fits = (FIRST_DATETIME..=LAST_DAY).contains(&days);
                fits.then_some(Datum::DateTime { days: i32::try_from(days - EPOCH_1900).ok()?, ticks })
            }
            SqlType::SmallDateTime => {
                // SQL Server rounds to datetime first: 29.998 s goes down, 29.999 s goes up.
                let ticks = (self.time * 3 + 50_000) / 100_000;
                let minutes = (ticks + 9000) / 18_000;
                let days = u16::try_from(self.days - EPOCH_1900 + minutes / 1440).ok()?;
                Some(Datum::SmallDateTime { days, minutes: u16::try_from(minutes % 1440).ok()? })
            }
            SqlType::DateTime2 { scale } => {
                let (days, time) = self.rounded(*scale);
                Some(Datum::DateTime2 { days: small(days)?, time })
            }
            SqlType::DateTimeOffset { scale } => {
                let (days, time) = self.rounded(*scale);
                let utc = days * DAY + i64::try_from(time).ok()? - i64::from(self.offset) * MINUTE;
                let days = small(utc.div_euclid(DAY)).filter(|days| i64::from(*days) <= LAST_DAY)?;
                let time = u64::try_from(utc.rem_euclid(DAY)).ok()?;
                Some(Datum::DateTimeOffset { days, time, offset: self.offset })
            }
            _ => None,
        }
    }

    /// Days and time at `scale` digits; the very last moment is cut, since there is no next day.
    fn rounded(self, scale: u8) -> (i64, u64) {
        let mut time = round(self.time, scale);
        let mut days = self.days + time / DAY;
        if days > LAST_DAY {
            let unit = unit(scale);
            (days, time) = (LAST_DAY, self.time / unit * unit);
        }
        (days, u64::try_from(time % DAY).unwrap_or(0))
    }
}

fn unit(scale: u8) -> i64 {
    10_i64.pow(u32::from(7_u8.saturating_sub(scale)))
}

fn round(time: i64, scale: u8) -> i64 {
    let unit = unit(scale);
    (time + unit / 2) / unit * unit
}

/// Reads a date, a time or both. The flag tells how many digits the fraction had.
fn read(text: &str) -> Option<Result<(Moment, usize), ()>> {
    let text = text.trim();
    if text.is_empty() {
        return Some(Ok((Moment { days: EPOCH_1900, time: 0, offset: 0 }, 0)));
    }
    let split = text.find(['T', ' ']).filter(|at| *at >= 6);
    let (date, time) = match split {
        Some(at) => (Some(&text[..at]), text[at + 1..].trim()),
        None if text.contains(':') => (None, text),
        None => (Some(text), ""),
    };
    let (year, month, day) = date.map_or(Some((1900, 1, 1)), date_parts)?;
    let (time, offset, digits) = time_parts(time)?;
    let found = days(year, month, day).zip(time).zip(offset);
    Some(found.map(|((days, time), offset)| (Moment { days, time, offset }, digits)).ok_or(()))
}

fn date_parts(text: &str) -> Option<(i64, i64, i64)> {
    let number = |part: &str| {
        (!part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())).then(|| part.parse().ok())?
    };
    if text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some((number(&text[..4])?, number(&text[4..6])?, number(&text[6..])?));
    }
    let mark = ['-', '/', '.'].into_iter().find(|mark| text.contains(*mark))?;
    let parts: Vec<&str> = text.split(mark).collect();
    let [year, month, day] = parts[..] else { return None };
    let sized = year.len() == 4 && (1..=2).contains(&month.len()) && (1..=2).contains(&day.len());
    if sized { Some((number(year)?, number(month)?, number(day)?)) } else { None }
}

/// Time of day and offset (inner `None`: out of range), and the digits of the fraction.
fn time_parts(text: &str) -> Option<(Option<i64>, Option<i16>, usize)> {
    if text.is_empty() {
        return Some((Some(0), Some(0), 0));
    }
    let number = |part: &str, width: std::ops::RangeInclusive<usize>| -> Option<i64> {
        let plain = width.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| part.parse().ok())?
    };
    let (clock, offset) = match text.find(['+', '-', 'Z']) {
        Some(at) if &text[at..] == "Z" => (text[..at].trim(), Some(0)),
        Some(at) => {
            let (hours, minutes) = text[at + 1..].split_once(':')?;
            let minutes = number(hours, 1..=2)? * 60 + number(minutes, 2..=2)?;
            let signed = if text.as_bytes()[at] == b'-' { -minutes } else { minutes };
            (text[..at].trim(), i16::try_from(signed).ok().filter(|_| minutes <= 840))
        }
        None => (text, Some(0)),
    };
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let parts: Vec<&str> = clock.split(':').collect();
    let (hours, minutes, seconds) = match parts[..] {
        [hours, minutes] => (number(hours, 1..=2)?, number(minutes, 1..=2)?, 0),
        [hours, minutes, seconds] => {
            (number(hours, 1..=2)?, number(minutes, 1..=2)?, number(seconds, 1..=2)?)
        }
        _ => return None,
    };
    let hundred_ns = if fraction.is_empty() { 0 } else { number(&format!("{fraction:0<7}"), 7..=7)? };
    let fits = hours < 24 && minutes < 60 && seconds < 60;
    let time = fits.then_some(hours * 60 * MINUTE + minutes * MINUTE + seconds * SECOND + hundred_ns);
    Some((time, offset, fraction.len()))
}

/// Text as a value of a date or time type.
pub fn parse(text: &str, kind: &SqlType) -> Result<Datum, SqlError> {
    let bad = || fail(241, "Conversion failed when converting date and/or time from character string.");
    let old = matches!(kind, SqlType::DateTime | SqlType::SmallDateTime);
    let range = || {
        let name = super::types::name(kind);
        let text = format!(
            "The conversion of a varchar data type to a {name} data type resulted in an out-of-range value."
        );
        if old { SqlError { state: 3, ..fail(242, text) } } else { bad() }
    };
    let (moment, digits) = read(text).ok_or_else(bad)?.map_err(|()| range())?;
    if old && digits > 3 {
        return Err(bad());
    }
    moment.stored(kind).ok_or_else(range)
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The fraction of a second with its point, as the type shows it: nothing at scale 0.
fn fraction(value: &Datum, kind: &SqlType, time: i64) -> String {
    let of_second = time % SECOND;
    match (value, kind) {
        // From the ticks, since 100 ns units are already rounded.
        (Datum::DateTime { ticks, .. }, _) => format!(".{:03}", (i64::from(*ticks % 300) * 10 + 1) / 3),
        (_, SqlType::Time { scale } | SqlType::DateTime2 { scale } | SqlType::DateTimeOffset { scale })
            if *scale > 0 =>
        {
            format!(".{:0width$}", of_second / unit(*scale), width = usize::from(*scale))
        }
        (_, SqlType::SmallDateTime) => ".000".to_owned(),
        _ => String::new(),
    }
}

/// The value as text in one of CONVERT's styles; `None` asks for what CAST gives.
pub fn text(value: &Datum, kind: &SqlType, style: Option<i32>) -> Result<String, SqlError> {
    let Some(moment) = Moment::of(value) else {
        return Err(fail(529, "Explicit conversion is not allowed."));
    };
    let old = matches!(kind, SqlType::DateTime | SqlType::SmallDateTime);
    let style = style.unwrap_or(if old { 0 } else { 121 });
    let (year, month, day) = civil(moment.days);
    let minutes = moment.time / MINUTE;
    let (hour, minute, second) = (minutes / 60, minutes % 60, moment.time % MINUTE / SECOND);
    let (has_date, has_time) = (!matches!(kind, SqlType::Time { .. }), !matches!(kind, SqlType::Date));
    let fraction = fraction(value, kind, moment.time);
    let clock = format!("{hour:02}:{minute:02}:{second:02}");
    let iso = format!("{year:04}-{month:02}-{day:02}");
    let named = MONTHS[usize::try_from(month - 1).unwrap_or(0)];
    let half = if hour < 12 { "AM" } else { "PM" };
    let twelve = if hour % 12 == 0 { 12 } else { hour % 12 };
    let (date, time, between) = match style {
        0 | 100 => (format!("{named} {day:2} {year:04}"), format!("{twelve:2}:{minute:02}{half}"), " "),
        20 | 120 => (iso, clock, " "),
        21 | 25 | 121 => (iso, format!("{clock}{fraction}"), " "),
        126 | 127 => {
            // A fraction of nothing is left out.
            let shown = if fraction.trim_matches(['.', '0']).is_empty() { "" } else { fraction.as_str() };
            (iso, format!("{clock}{shown}"), "T")
        }
        23 => (iso, String::new(), ""),
        101 => (format!("{month:02}/{day:02}/{year:04}"), String::new(), ""),
        102 => (format!("{year:04}.{month:02}.{day:02}"), String::new(), ""),
        103 => (format!("{day:02}/{month:02}/{year:04}"), String::new(), ""),
        104 => (format!("{day:02}.{month:02}.{year:04}"), String::new(), ""),
        111 => (format!("{year:04}/{month:02}/{day:02}"), String::new(), ""),
        112 => (format!("{year:04}{month:02}{day:02}"), String::new(), ""),
        8 | 108 => (String::new(), clock, ""),
        14 | 114 => (String::new(), format!("{clock}{}", fraction.replace('.', ":")), ""),
        _ => {
            return Err(fail(
                281,
                format!(
                    "{style} is not a valid style number when converting from date to a character string."
                ),
            ));
        }
    };
    let mut shown = match (has_date, has_time && !time.is_empty()) {
        (true, true) => format!("{date}{between}{time}"),
        (true, false) => date,
        (false, _) => time,
    };
    if matches!(kind, SqlType::DateTimeOffset { .. })
        && matches!(style, 0 | 100 | 20 | 120 | 21 | 25 | 121 | 126)
    {
        let (sign, offset) = (if moment.offset < 0 { '-' } else { '+' }, moment.offset.unsigned_abs());
        let space = if style == 126 { "" } else { " " };
        shown.push_str(&format!("{space}{sign}{:02}:{:02}", offset / 60, offset % 60));
    }
    Ok(shown)
}
