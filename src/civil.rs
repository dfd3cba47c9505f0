//! Days as dates of the proleptic Gregorian calendar, however far from today: databases hold years that no calendar of a library does.

/// Days from 0000-03-01 to 1970-01-01.
const SHIFT: i64 = 719_468;
/// Days of 400 years.
const CYCLE: i64 = 146_097;

/// Year, month and day of a number of days since 1970-01-01 (Hinnant's `civil_from_days`); the year before 1 is 0.
pub fn date_of(days: i64) -> (i64, i64, i64) {
    let shifted = days + SHIFT;
    let (cycle, of_cycle) = (shifted.div_euclid(CYCLE), shifted.rem_euclid(CYCLE));
    let year_of_cycle = (of_cycle - of_cycle / 1460 + of_cycle / 36_524 - of_cycle / 146_096) / 365;
    let of_year = of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_cycle + cycle * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::date_of;

    #[test]
    fn days_become_the_date_that_people_write() {
        for (days, expected) in [
            (0, (1970, 1, 1)),
            (-1, (1969, 12, 31)),
            (11_016, (2000, 2, 29)),
            (18_778, (2021, 5, 31)),
            (2_932_896, (9999, 12, 31)),
            (-719_162, (1, 1, 1)),
            (-719_163, (0, 12, 31)),
            (2_145_042_905, (5_874_897, 12, 31)),
        ] {
            assert_eq!(date_of(days), expected);
        }
    }
}
