//! The clock, and what to make of many measured times. The only module here that reads the time.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use jiff::Timestamp;

/// Starts a stopwatch.
#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
pub fn start() -> Instant {
    Instant::now()
}

/// Returns the present moment.
#[expect(
    clippy::disallowed_methods,
    reason = "the identity provider of the benchmark dates its messages"
)]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// Returns milliseconds with their fraction.
pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Returns the time that the main thread has spent on a processor, in milliseconds (Linux, proc(5)). Other work on the
/// machine disturbs it far less than it disturbs the clock on the wall.
pub fn processor_milliseconds() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/self/schedstat")?;
    let nanoseconds: f64 = text
        .split_whitespace()
        .next()
        .context("an empty schedstat")?
        .parse()?;
    Ok(nanoseconds / 1e6)
}

/// Measured values in ascending order.
#[derive(Clone, Debug)]
pub struct Sorted(Vec<f64>);

impl Sorted {
    /// Sorts the values.
    pub fn new(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    /// Returns the value below which `percent` of all lie (nearest rank); 0 when there is none.
    pub fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.0.len() * percent).div_ceil(100).saturating_sub(1);
        self.0.get(rank).copied().unwrap_or_default()
    }

    /// Returns the median.
    pub fn median(&self) -> f64 {
        self.percentile(50)
    }
}

#[cfg(test)]
mod tests {
    use super::Sorted;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let values = Sorted::new((1..=200).rev().map(f64::from).collect());
        let found = [
            values.median(),
            values.percentile(95),
            values.percentile(100),
            values.percentile(0),
        ];
        assert_eq!(format!("{found:?}"), "[100.0, 190.0, 200.0, 1.0]");
        assert_eq!(format!("{}", Sorted::new(Vec::new()).median()), "0");
    }
}
