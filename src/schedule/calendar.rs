//! A cron expression as systemd's OnCalendar, where the two can say the same.
//!
//! Always: `None` rather than something that is due at other times. `*`, numbers, lists, ranges and steps are translated; nicknames,
//! `L`, `W`, `#`, names of months, and a day of the month together with a weekday (cron: either; systemd: both) are not.
//! Must not know: what is due.

const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/// `30 1 * * 1-5` → `Mon,Tue,Wed,Thu,Fri *-*-* 01:30:00`.
pub(super) fn of_cron(cron: &str) -> Option<String> {
    let fields: Vec<&str> = cron.split_whitespace().collect();
    let [minute, hour, day, month, weekday] = fields.as_slice() else { return None };
    if *day != "*" && *weekday != "*" {
        return None;
    }
    let days = if *weekday == "*" { String::new() } else { format!("{} ", weekdays(weekday)?) };
    let (minute, hour) = (field(minute, 0, 59)?, field(hour, 0, 23)?);
    let (day, month) = (field(day, 1, 31)?, field(month, 1, 12)?);
    Some(format!("{days}*-{month}-{day} {hour}:{minute}:00"))
}

/// One field but the weekday: each piece of the list.
fn field(text: &str, least: u32, most: u32) -> Option<String> {
    if text == "*" {
        return Some("*".to_owned());
    }
    let piece = |piece: &str| {
        let (range, step) = steps(piece)?;
        let (from, to) = if range == "*" { (least, Some(most)) } else { bounds(range, least, most)? };
        Some(match (to, step) {
            (Some(to), Some(step)) if to == most => format!("{from:02}/{step}"),
            (Some(to), Some(step)) => format!("{from:02}..{to:02}/{step}"),
            (Some(to), None) => format!("{from:02}..{to:02}"),
            (None, None) => format!("{from:02}"),
            // `5/15` means different things to different crons.
            (None, Some(_)) => return None,
        })
    };
    let pieces: Option<Vec<String>> = text.split(',').map(piece).collect();
    Some(pieces?.join(","))
}

fn weekdays(text: &str) -> Option<String> {
    let mut on = [false; 7];
    for piece in text.split(',') {
        let (range, step) = steps(piece)?;
        if step.is_some() {
            return None;
        }
        let (from, to) = bounds(range, 0, 7)?;
        (from..=to.unwrap_or(from)).for_each(|d| on[(d % 7) as usize] = true);
    }
    // From Monday, as systemd counts.
    let named = (1..=7).map(|d| d % 7).filter(|d| on[*d]).map(|d| DAYS[d]);
    Some(named.collect::<Vec<_>>().join(","))
}

fn steps(piece: &str) -> Option<(&str, Option<u32>)> {
    match piece.split_once('/') {
        Some((range, step)) => Some((range, Some(step.parse().ok().filter(|s| *s > 0)?))),
        None => Some((piece, None)),
    }
}

/// `5` or `5-9`.
fn bounds(range: &str, least: u32, most: u32) -> Option<(u32, Option<u32>)> {
    let number = |text: &str| {
        let day = DAYS.iter().position(|d| most == 7 && d.eq_ignore_ascii_case(text));
        let number = day.and_then(|d| u32::try_from(d).ok()).or_else(|| text.parse().ok());
        number.filter(|n| (least..=most).contains(n))
    };
    match range.split_once('-') {
        Some((from, to)) => {
            let (from, to) = (number(from)?, number(to)?);
            (from <= to).then_some((from, Some(to)))
        }
        None => Some((number(range)?, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::of_cron;

    #[test]
    fn what_both_can_say_is_translated_and_nothing_else() {
        for (cron, expected) in [
            ("0 1 * * *", Some("*-*-* 01:00:00")),
            ("*/15 8-18 * * 1-5", Some("Mon,Tue,Wed,Thu,Fri *-*-* 08..18:00/15:00")),
            ("30 2 1,15 * *", Some("*-*-01,15 02:30:00")),
            ("0 0 1 */3 *", Some("*-01/3-01 00:00:00")),
            ("10-30/5 * * 6 SUN,7", Some("Sun *-06-* *:10..30/5:00")),
            ("5 4 * * FRI-7", Some("Fri,Sat,Sun *-*-* 04:05:00")),
            ("0 1 1 * 1", None),
            ("5/15 * * * *", None),
            ("0 1 L * *", None),
            ("0 1 * JAN *", None),
            ("0 1 * * 5#2", None),
            ("0 1 * * 5-1", None),
            ("@daily", None),
        ] {
            assert_eq!(of_cron(cron).as_deref(), expected, "{cron}");
        }
    }
}
