//! Charts of days: bars drawn here as SVG, with a sentence for whoever does not see them and a table for whoever wants the
//! numbers. Never asks anything.

use std::fmt::Write as _;

use provost_store::days;

use super::shell::Shell;
use crate::flow::console::overview::Counts;

/// Height of the drawing; its width is [`STEP`] for each day, and the page stretches it.
const HEIGHT: u64 = 100;
const STEP: u64 = 10;

/// What happened on one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Day {
    /// Days since 1970, in UTC.
    pub(super) at: i64,
    /// What is drawn from the ground.
    pub(super) first: u64,
    /// What is drawn on top of it.
    pub(super) second: u64,
    /// A line across, if there is one that day.
    pub(super) limit: Option<u64>,
}

/// What a chart is of.
pub(super) struct Plot<'a> {
    /// Distinguishes it on its page.
    pub(super) id: String,
    /// Its heading.
    pub(super) title: String,
    /// The oldest first, without gaps.
    pub(super) days: &'a [Day],
    /// Key of the name of what is drawn from the ground.
    pub(super) first: &'static str,
    /// Key of the name of what is drawn on top.
    pub(super) second: &'static str,
    /// Key of the name of the line.
    pub(super) limit: &'static str,
    /// Whether days are levels, of which the last counts; else events, which are added up.
    pub(super) is_level: bool,
    /// Whether the second is nothing to worry about, too.
    pub(super) is_calm: bool,
    /// Key of what is said where there is nothing.
    pub(super) nothing: &'static str,
}

/// A chart as its template shows it.
pub(super) struct Chart {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) is_empty: bool,
    pub(super) nothing: &'static str,
    pub(super) width: u64,
    pub(super) bars: Vec<Bar>,
    pub(super) line: String,
    pub(super) second_class: &'static str,
    pub(super) summary: String,
    pub(super) most: String,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) legend: Vec<(&'static str, String)>,
    pub(super) columns: Vec<&'static str>,
    pub(super) rows: Vec<(String, Vec<String>)>,
}

/// The bars of one day, as paths.
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) first: String,
    pub(super) second: String,
}

/// Draws a chart of what went well and what did not, by day. `words` are the keys of their names, and of what is said where
/// there is nothing.
pub(super) fn counts(
    shell: &Shell,
    (id, title): (&str, &'static str),
    days: &[(i64, Counts)],
    [first, second, nothing]: [&'static str; 3],
) -> Chart {
    let days: Vec<Day> = days
        .iter()
        .map(|(at, [good, bad])| Day {
            at: *at,
            first: *good,
            second: *bad,
            limit: None,
        })
        .collect();
    let plot = Plot {
        id: id.to_owned(),
        title: shell.t1(title, &days.len()),
        days: &days,
        first,
        second,
        limit: "",
        is_level: false,
        is_calm: false,
        nothing,
    };
    draw(shell, plot)
}

/// Draws a chart.
pub(super) fn draw(shell: &Shell, plot: Plot<'_>) -> Chart {
    let days = plot.days;
    let most = days
        .iter()
        .map(|day| (day.first + day.second).max(day.limit.unwrap_or_default()))
        .max()
        .unwrap_or_default();
    let count = |of: fn(&Day) -> u64| {
        if plot.is_level {
            days.last().map(of).unwrap_or_default()
        } else {
            days.iter().map(of).sum()
        }
    };
    let (first, second) = (shell.t(plot.first), shell.t(plot.second));
    let second_class = if plot.is_calm { "later" } else { "bad" };
    let mut legend = vec![
        ("good", told(shell, first, count(|day| day.first))),
        (second_class, told(shell, second, count(|day| day.second))),
    ];
    let mut columns = vec![first, second];
    if let Some(limit) = days.last().and_then(|day| day.limit) {
        legend.push(("limit", told(shell, shell.t(plot.limit), limit)));
        columns.push(shell.t(plot.limit));
    }
    let texts: Vec<&str> = legend.iter().map(|(_, text)| text.as_str()).collect();
    let date = |day: Option<&Day>| day.map(|day| days::date(day.at).to_string()).unwrap_or_default();
    Chart {
        is_empty: days.iter().all(|day| day.first + day.second == 0),
        nothing: shell.t(plot.nothing),
        width: STEP * u64::try_from(days.len()).unwrap_or_default(),
        bars: days
            .iter()
            .zip(0..)
            .map(|(day, place)| bar(shell, day, place, most, first, second))
            .collect(),
        line: line(days, most),
        second_class,
        summary: format!("{}: {}", plot.title, texts.join(", ")),
        most: shell.number(&most),
        from: date(days.first()),
        to: date(days.last()),
        rows: days
            .iter()
            .rev()
            .map(|day| row(shell, day, columns.len() > 2))
            .collect(),
        legend,
        columns,
        title: plot.title,
        id: plot.id,
    }
}

fn told(shell: &Shell, name: &str, number: u64) -> String {
    format!("{name}: {}", shell.number(&number))
}

fn row(shell: &Shell, day: &Day, has_limit: bool) -> (String, Vec<String>) {
    let mut cells = vec![shell.number(&day.first), shell.number(&day.second)];
    if has_limit {
        cells.push(day.limit.map(|limit| shell.number(&limit)).unwrap_or_default());
    }
    (days::date(day.at).to_string(), cells)
}

/// The height of a number; whatever is not nothing can be seen.
const fn height(number: u64, most: u64) -> u64 {
    if number == 0 || most == 0 {
        return 0;
    }
    let height = number.saturating_mul(HEIGHT).div_ceil(most);
    if height < 2 { 2 } else { height }
}

fn bar(shell: &Shell, day: &Day, place: u64, most: u64, first: &str, second: &str) -> Bar {
    let upper = height(day.second, most);
    let lower = height(day.first, most).min(HEIGHT - upper);
    let left = place * STEP + 1;
    let block = |from: u64, tall: u64| {
        if tall == 0 {
            return String::new();
        }
        format!("M{left} {from}h{wide}v{tall}h-{wide}z", wide = STEP - 2)
    };
    Bar {
        name: format!(
            "{}: {}, {}",
            days::date(day.at),
            told(shell, first, day.first),
            told(shell, second, day.second)
        ),
        first: block(HEIGHT - lower, lower),
        second: block(HEIGHT - lower - upper, upper),
    }
}

/// The line across: a level for each day that has one.
fn line(days: &[Day], most: u64) -> String {
    let mut path = String::new();
    let mut is_drawn = false;
    for (day, place) in days.iter().zip(0_u64..) {
        let Some(limit) = day.limit else {
            is_drawn = false;
            continue;
        };
        let y = HEIGHT - height(limit, most);
        let (left, right) = (place * STEP, (place + 1) * STEP);
        // Writing to a String cannot fail.
        let _ = if is_drawn {
            write!(path, "V{y}H{right}")
        } else {
            write!(path, "M{left} {y}H{right}")
        };
        is_drawn = true;
    }
    path
}

#[cfg(test)]
mod tests {
    use super::{Day, HEIGHT, height, line};

    #[test]
    fn whatever_is_not_nothing_can_be_seen_and_nothing_is_taller_than_the_drawing() {
        assert_eq!(height(0, 100_000), 0);
        assert_eq!(height(1, 100_000), 2);
        assert_eq!(height(100_000, 100_000), HEIGHT);
        assert_eq!(height(u64::MAX, u64::MAX), 2, "no overflow");
        assert_eq!(height(3, 0), 0);
    }

    #[test]
    fn a_line_is_broken_where_there_is_no_limit() {
        let day = |limit| Day {
            limit,
            ..Day::default()
        };
        assert_eq!(
            line(&[day(Some(5)), day(Some(10)), day(None), day(Some(10))], 10),
            "M0 50H10V0H20M30 0H40"
        );
        assert_eq!(line(&[day(None)], 10), "");
    }
}
