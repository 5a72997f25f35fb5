//! How fast a directory may ask. Holds across nodes approximately, and costs a write only when a directory hurries.
//!
//! Windows of ten seconds are counted in the store, as all rate limits are. A node does not count each request there,
//! which would make every look-up a write: it takes portions of a window's budget and spends them by itself. A small
//! allowance for each node and window is free, so that a directory at its usual pace never causes a write. With N
//! nodes the true limit lies between the configured one and that plus N - 1 allowances.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use crate::app::App;
use crate::error::Result;

/// Seconds of one window; also the burst, in seconds of the allowed rate.
const WINDOW: u32 = 10;
/// The budget of a window is taken in this many portions.
const PORTIONS: u32 = 12;
/// This share of the budget needs no portion.
const FREE_SHARE: u32 = 25;
/// Windows kept at most; those that are over go first.
const KEPT: usize = 20_000;

/// What this node may still spend of the running windows.
#[derive(Default)]
pub struct Pace {
    windows: Mutex<HashMap<String, Window>>,
}

#[derive(Clone, Copy)]
struct Window {
    number: i64,
    left: u32,
    is_used_up: bool,
}

/// Too many requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooFast {
    /// After how many whole seconds to try again.
    pub seconds: u64,
    /// Whether this is the first one that this node refuses in the window; the others are not worth a line in a log.
    pub is_first: bool,
}

/// What the local look found.
#[derive(Debug, PartialEq, Eq)]
enum Look {
    /// Within what the node has.
    Spent,
    /// The window's budget is used up everywhere.
    UsedUp,
    /// A further portion is needed.
    Empty,
}

impl Pace {
    fn look(&self, key: &str, number: i64, free: u32) -> Look {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= KEPT {
            windows.retain(|_, window| window.number == number);
        }
        let window = windows.entry(key.to_owned()).or_insert(Window {
            number,
            left: free,
            is_used_up: false,
        });
        if window.number != number {
            *window = Window {
                number,
                left: free,
                is_used_up: false,
            };
        }
        if window.left > 0 {
            window.left -= 1;
            Look::Spent
        } else if window.is_used_up {
            Look::UsedUp
        } else {
            Look::Empty
        }
    }

    /// Notes what asking for a portion brought.
    fn note(&self, key: &str, number: i64, portion: Option<u32>) {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(window) = windows.get_mut(key).filter(|window| window.number == number) {
            match portion {
                Some(more) => window.left = window.left.saturating_add(more),
                None => window.is_used_up = true,
            }
        }
    }
}

/// Counts one request of what `key` names. Says so if that was too many.
///
/// # Errors
/// Those of the store.
pub async fn count(app: &App, key: &str, per_second: u32) -> Result<Option<TooFast>> {
    if per_second == 0 {
        return Ok(None);
    }
    let now = app.world.now();
    let limit = per_second.saturating_mul(WINDOW);
    let number = now.as_second().div_euclid(i64::from(WINDOW));
    let free = (limit / FREE_SHARE).max(1);
    let shared = limit.saturating_sub(free);
    match app.scim.pace.look(key, number, free) {
        Look::Spent => return Ok(None),
        Look::UsedUp => {
            return Ok(Some(TooFast {
                seconds: wait(now),
                is_first: false,
            }));
        }
        Look::Empty => {}
    }
    let portion = (shared / PORTIONS).max(1);
    let stored = format!("scim:{key}");
    let hit = app
        .store
        .write(move |tx| Box::pin(async move { tx.hit_times(&stored, WINDOW, shared, portion, now).await }))
        .await?;
    if hit.allowed {
        app.scim.pace.note(key, number, Some(portion - 1));
        return Ok(None);
    }
    app.scim.pace.note(key, number, None);
    metrics::counter!("provost_rate_limited_total", "what" => "scim").increment(1);
    Ok(Some(TooFast {
        seconds: wait(now),
        is_first: true,
    }))
}

/// Seconds until the window ends, at least one.
fn wait(now: Timestamp) -> u64 {
    let into = now.as_second().rem_euclid(i64::from(WINDOW));
    u64::try_from(i64::from(WINDOW) - into).unwrap_or(1).max(1)
}

#[cfg(test)]
mod tests {
    use super::{Look, Pace};

    #[test]
    fn a_window_is_free_at_first_then_lives_on_portions() {
        let pace = Pace::default();
        assert_eq!(pace.look("a", 1, 2), Look::Spent);
        assert_eq!(pace.look("a", 1, 2), Look::Spent);
        assert_eq!(pace.look("a", 1, 2), Look::Empty);
        pace.note("a", 1, Some(1));
        assert_eq!(pace.look("a", 1, 2), Look::Spent);
        assert_eq!(pace.look("a", 1, 2), Look::Empty);
        pace.note("a", 1, None);
        assert_eq!(pace.look("a", 1, 2), Look::UsedUp);
        assert_eq!(pace.look("b", 1, 2), Look::Spent, "others are not concerned");
        assert_eq!(pace.look("a", 2, 2), Look::Spent, "the next window is new");
        pace.note("a", 1, None);
        assert_eq!(
            pace.look("a", 2, 2),
            Look::Spent,
            "news of an old window is ignored"
        );
    }
}
