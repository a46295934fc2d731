//! Numbers and times as people read them.

use std::time::{SystemTime, UNIX_EPOCH};

/// `0.4 s`, `41 s`, `4 min`, `1 h 10 min`: never more digits than matter to someone who waits.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        _ if seconds < 9.95 => without_minus_zero(format!("{seconds:.1}")) + " s",
        0..=119 => format!("{whole} s"),
        120..=599 => format!("{} min {:02} s", whole / 60, whole % 60),
        600..=5399 => format!("{} min", (whole + 30) / 60),
        _ => {
            let minutes = (whole + 30) / 60;
            format!("{} h {:02} min", minutes / 60, minutes % 60)
        }
    }
}

/// `about 4 min`: an estimate, which claims no seconds where there are minutes.
pub fn rough_duration(seconds: f64) -> String {
    if seconds < 99.5 { format!("{} s", seconds.ceil().max(1.0)) } else { rough_minutes(seconds) }
}

fn rough_minutes(seconds: f64) -> String {
    let minutes = (seconds / 60.0).round() as u64;
    if minutes < 90 { format!("{minutes} min") } else { format!("{} h {:02} min", minutes / 60, minutes % 60) }
}

/// `50,000`
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 stage`, `2 stages`, `3 axes`
pub fn counted(number: usize, noun: &str) -> String {
    format!("{} {}", count(number as u64), if number == 1 { noun.to_owned() } else { plural(noun) })
}

/// What an error is in one line; what is listed behind a colon stands below it.
pub fn first_line(error: &str) -> &str {
    error.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("no reason given").trim_end_matches(':')
}

/// `seeds` of `seed`, `categories` of `category`, `losses` of `loss`.
pub fn plural(noun: &str) -> String {
    if let Some(stem) = noun.strip_suffix("is") {
        return format!("{stem}es");
    }
    let vowel_and_y = ["ay", "ey", "oy", "uy"].iter().any(|end| noun.ends_with(end));
    match noun.strip_suffix('y') {
        Some(stem) if !vowel_and_y => format!("{stem}ies"),
        _ if ["s", "x", "z", "ch", "sh"].iter().any(|end| noun.ends_with(end)) => format!("{noun}es"),
        _ => format!("{noun}s"),
    }
}

/// A number so rounded that it is zero has no sign.
pub fn without_minus_zero(number: String) -> String {
    match number.strip_prefix('-') {
        Some(rest) if rest.chars().all(|c| matches!(c, '0' | '.')) => rest.to_owned(),
        _ => number,
    }
}

/// Four significant digits at most: `4.812`, `0.0001`, `1,142`.
pub fn figure(value: f64) -> String {
    let size = value.abs();
    if (1000.0..1e15).contains(&size) {
        return format!("{}{}", if value < 0.0 { "-" } else { "" }, count(size.round() as u64));
    }
    let digits = if size == 0.0 { 0 } else { (3 - size.log10().floor() as i32).clamp(0, 8) as usize };
    let fixed = format!("{value:.digits$}");
    let short = if fixed.contains('.') { fixed.trim_end_matches('0').trim_end_matches('.') } else { &fixed };
    without_minus_zero(short.to_owned())
}

/// A measurement in its unit (see [`pretext_protocol::Measure::unit`]): `58.3 %`, `41 s`, `4.812`.
pub fn measured(value: f64, unit: &str) -> String {
    match unit {
        _ if !value.is_finite() => "not a finite number".to_owned(),
        "fraction" => without_minus_zero(format!("{:.1}", value * 100.0)) + " %",
        "seconds" => duration(value),
        _ => figure(value),
    }
}

/// The number of `1.5 h`, as it is written, and how much its unit is; none for another unit, or without one.
pub fn split_unit<'a>(text: &'a str, units: &[(&str, u64)]) -> Option<(&'a str, u64)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (_, size) = units.iter().find(|(name, _)| *name == text[end..].trim())?;
    Some((&text[..end], *size))
}

/// `4.0 GiB`
pub fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let power = (number.max(1).ilog2() / 10).min(4);
    match power {
        0 => format!("{number} B"),
        _ => format!("{:.1} {}", number as f64 / 1024f64.powi(power as i32), UNITS[power as usize]),
    }
}

/// Now, in seconds since 1970.
pub fn now() -> u64 {
    seconds_since_1970(SystemTime::now())
}

fn seconds_since_1970(moment: SystemTime) -> u64 {
    moment.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A moment as RFC 3339 in UTC: `2026-11-24T10:17:22Z`.
pub fn rfc3339(moment: SystemTime) -> String {
    let seconds = seconds_since_1970(moment);
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil_date(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

/// Year, month and day of the Gregorian calendar, after Howard Hinnant's `civil_from_days`, whose years begin in
/// March so that the leap day comes last.
fn civil_date(days_since_1970: u64) -> (u64, u64, u64) {
    let days = days_since_1970 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn durations_lose_digits_as_they_grow() {
        let shown: Vec<String> = [0.04, 9.9, 41.2, 119.0, 221.0, 2280.0, 4180.0, 7000.0].map(duration).into();
        assert_eq!(shown, ["0.0 s", "9.9 s", "41 s", "119 s", "3 min 41 s", "38 min", "70 min", "1 h 57 min"]);
        assert_eq!(duration(-0.01), "0.0 s");
        assert_eq!([0.2, 61.0, 230.0, 7000.0].map(rough_duration), ["1 s", "61 s", "4 min", "1 h 57 min"]);
    }

    #[test]
    fn figures_have_at_most_four_digits() {
        assert_eq!(
            [0.0, 4.8123, 0.00012, -3.0, 1142.4, 12.5].map(figure),
            ["0", "4.812", "0.00012", "-3", "1,142", "12.5"]
        );
        assert_eq!([-0.0, -1e-12, -0.004].map(figure), ["0", "0", "-0.004"]);
        assert_eq!([-0.0, -0.0004, -0.0005].map(|value| measured(value, "fraction")), ["0.0 %", "0.0 %", "-0.1 %"]);
        assert_eq!([7, 999, 1000, 50_000, 1_234_567].map(count), ["7", "999", "1,000", "50,000", "1,234,567"]);
        assert_eq!([12, 4 << 30, 1536].map(bytes), ["12 B", "4.0 GiB", "1.5 KiB"]);
    }

    #[test]
    fn of_an_error_the_first_line_that_says_something_is_taken() {
        assert_eq!(
            first_line("\n the command ended with exit code 1:\n    no such file"),
            "the command ended with exit code 1"
        );
        assert_eq!(first_line(""), "no reason given");
    }

    #[test]
    fn one_is_not_many() {
        let shown = [(1, "stage"), (2, "stage"), (1, "axis"), (0, "axis"), (3, "category"), (3, "loss"), (2, "day")];
        let expected = ["1 stage", "2 stages", "1 axis", "0 axes", "3 categories", "3 losses", "2 days"];
        assert_eq!(shown.map(|(number, noun)| counted(number, noun)), expected);
    }

    #[test]
    fn moments_are_written_in_utc() {
        let at = |seconds| rfc3339(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(at(0), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_827_696), "2000-02-29T12:34:56Z"); // a leap day in a century that has one
        assert_eq!(at(1_798_761_599), "2026-12-31T23:59:59Z");
    }
}
