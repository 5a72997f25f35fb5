//! Days as histories count them: since 1970, in UTC.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

const SECONDS: i64 = 86_400;

/// Returns the day of a moment.
pub fn of(at: Timestamp) -> i64 {
    at.as_second().div_euclid(SECONDS)
}

/// Returns the day that a calendar date is.
pub fn number(date: Date) -> i64 {
    date.to_zoned(TimeZone::UTC)
        .map_or(0, |midnight| of(midnight.timestamp()))
}

/// Returns the calendar date of a day.
pub fn date(day: i64) -> Date {
    Timestamp::from_second(day.saturating_mul(SECONDS))
        .unwrap_or_default()
        .to_zoned(TimeZone::UTC)
        .date()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_at_midnight_in_utc_and_go_both_ways() {
        for (moment, day, text) in [
            ("1970-01-01T00:00:00Z", 0, "1970-01-01"),
            ("1969-12-31T23:59:59Z", -1, "1969-12-31"),
            ("2026-11-27T23:59:59.999Z", 20_784, "2026-11-27"),
        ] {
            assert_eq!(of(moment.parse().unwrap()), day, "{moment}");
            assert_eq!(date(day).to_string(), text);
            assert_eq!(number(date(day)), day);
        }
    }
}
