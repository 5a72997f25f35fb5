//! XML dateTime and duration as SAML uses them (core 1.3.3). Never reads a clock.

use jiff::{SignedDuration, Span, Timestamp};

use crate::error::SamlError;

/// Parses an XML dateTime with a zone, such as `2026-11-23T02:10:00Z`.
pub(crate) fn parse(text: &str) -> Result<Timestamp, SamlError> {
    // The parser of the time library accepts more forms (spaces, zone names) than XML Schema does.
    let plain = text.len() >= 20
        && text.len() <= 40
        && text.as_bytes().get(10) == Some(&b'T')
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'-' | b':' | b'T' | b'Z' | b'.' | b'+'));
    if !plain {
        return Err(SamlError::TimeMalformed);
    }
    text.parse().map_err(|_| SamlError::TimeMalformed)
}

/// Renders a moment in whole seconds of UTC.
pub(crate) fn render(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).map_or_else(|_| at.to_string(), |t| t.to_string())
}

/// Parses an XML duration such as `PT24H` into seconds; months count 30 days and years 365.
pub(crate) fn parse_duration(text: &str) -> Result<SignedDuration, SamlError> {
    if !text.starts_with('P') || text.len() > 64 {
        return Err(SamlError::DurationMalformed);
    }
    let span: Span = text.parse().map_err(|_| SamlError::DurationMalformed)?;
    let days = i64::from(span.get_years()) * 365
        + i64::from(span.get_months()) * 30
        + i64::from(span.get_weeks()) * 7
        + i64::from(span.get_days());
    let seconds = days
        .saturating_mul(86_400)
        .saturating_add(i64::from(span.get_hours()).saturating_mul(3600))
        .saturating_add(span.get_minutes().saturating_mul(60))
        .saturating_add(span.get_seconds());
    Ok(SignedDuration::from_secs(seconds))
}

/// Adds without overflow: at the edge of time the edge is returned.
pub(crate) fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// Subtracts without overflow: at the edge of time the edge is returned.
pub(crate) fn earlier(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_xml_times_and_refuses_the_rest() {
        for good in [
            "2026-11-23T02:10:00Z",
            "2026-11-23T02:10:00.123Z",
            "2026-11-23T03:10:00+01:00",
            "2026-11-23T02:10:00.1234567Z",
        ] {
            assert!(parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "2026-11-23",
            "2026-11-23T02:10:00",
            "2026-11-23 02:10:00Z",
            "2026-13-23T02:10:00Z",
            "now",
            "2026-11-23T02:10:00Z[UTC]",
        ] {
            assert_eq!(parse(bad), Err(SamlError::TimeMalformed), "{bad}");
        }
    }

    #[test]
    fn renders_whole_seconds() {
        let at = parse("2026-11-23T02:10:00.9Z").unwrap();
        assert_eq!(render(at), "2026-11-23T02:10:00Z");
    }

    #[test]
    fn durations_in_seconds() {
        assert_eq!(parse_duration("PT24H").unwrap().as_secs(), 86_400);
        assert_eq!(parse_duration("P7D").unwrap().as_secs(), 604_800);
        assert_eq!(parse_duration("P1M").unwrap().as_secs(), 30 * 86_400);
        assert_eq!(parse_duration("24h"), Err(SamlError::DurationMalformed));
    }
}
