//! Progress on standard error, where somebody watches.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Returns a bar of `length` steps. Draws nothing when standard error is no terminal.
pub fn bar(length: u64, text: &str) -> ProgressBar {
    let bar = ProgressBar::new(length).with_message(text.to_owned());
    if let Ok(style) = ProgressStyle::with_template("{msg} [{bar:30}] {pos}/{len} {elapsed}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}
