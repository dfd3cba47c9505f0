//! The one clock: when something happened, for state.db and for people.
//!
//! Always: what is stored is UTC, to the second; what people read is in the time zone of the configuration, never in that of the
//! machine. What a run computes never depends on it (`as_of` stands for today, FORMS 8).

use std::sync::OnceLock;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;

/// The time zone where the configuration names no other.
pub const DEFAULT_ZONE: Tz = Tz::Asia__Shanghai;
/// A test names here the moment at which the process is to start.
const SWITCH: &str = "QIANYI_CLOCK";

/// Now, to reckon with.
pub fn instant() -> DateTime<Utc> {
    static AHEAD: OnceLock<TimeDelta> = OnceLock::new();
    let now = Utc::now();
    let ahead = AHEAD.get_or_init(|| {
        let set = std::env::var(SWITCH).ok().and_then(|told| moment(&told));
        set.map_or(TimeDelta::zero(), |at| at - now)
    });
    now.checked_add_signed(*ahead).unwrap_or(now)
}

/// Now, as `2026-11-23T19:06:22Z`.
pub fn now() -> String {
    text(instant())
}

/// A moment in that form.
pub fn text(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A moment from its text, in that form or with an offset.
pub fn moment(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc())
}

/// A moment in a time zone, with its offset: `2026-11-24T03:06:22+08:00`.
pub fn zoned(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).format("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// A stored moment in a time zone, with its offset; what is no moment stays as it is.
pub fn stored_zoned(text: &str, zone: Tz) -> String {
    moment(text).map_or_else(|| text.to_owned(), |at| zoned(at, zone))
}

/// What a clock on the wall showed at a moment with an offset: `2026-11-24 03:06:22`; what is no moment stays as it is.
pub fn wall(text: &str) -> String {
    let at = DateTime::parse_from_rfc3339(text);
    at.map_or_else(|_| text.to_owned(), |at| at.format("%Y-%m-%d %H:%M:%S").to_string())
}

/// The offset of a moment: `+08:00`; empty where it has none.
pub fn offset(text: &str) -> &str {
    text.get(19..).unwrap_or_default()
}

/// The day of a stored moment in a time zone.
pub fn day(text: &str, zone: Tz) -> Option<NaiveDate> {
    moment(text).map(|at| at.with_timezone(&zone).date_naive())
}

/// Now, in seconds since 1970.
pub fn unix_seconds() -> i64 {
    instant().timestamp()
}

/// The time of day in a time zone, for windows in which reading is allowed.
pub fn time_of_day(zone: Tz) -> NaiveTime {
    instant().with_timezone(&zone).time()
}

#[cfg(test)]
mod tests {
    use chrono_tz::Tz;

    use super::{DEFAULT_ZONE, day, stored_zoned, wall};

    #[test]
    fn a_moment_has_the_day_and_the_wall_clock_of_its_zone() {
        let kathmandu: Tz = "Asia/Kathmandu".parse().unwrap();
        for (stored, zone, expected_day, expected) in [
            ("2021-05-31T16:30:00Z", DEFAULT_ZONE, "2021-06-01", "2021-06-01T00:30:00+08:00"),
            ("2021-05-31T15:59:59Z", DEFAULT_ZONE, "2021-05-31", "2021-05-31T23:59:59+08:00"),
            ("2021-05-31T18:20:00Z", kathmandu, "2021-06-01", "2021-06-01T00:05:00+05:45"),
            // Summer time, which China had from 1986 to 1991.
            ("1988-07-14T15:30:00Z", DEFAULT_ZONE, "1988-07-15", "1988-07-15T00:30:00+09:00"),
        ] {
            assert_eq!(day(stored, zone).unwrap().to_string(), expected_day);
            assert_eq!(stored_zoned(stored, zone), expected);
        }
        assert_eq!(wall("2021-06-01T00:05:00+05:45"), "2021-06-01 00:05:00");
        assert_eq!((wall("soon"), stored_zoned("soon", kathmandu)), ("soon".to_owned(), "soon".to_owned()));
    }
}
