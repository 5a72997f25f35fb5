//! Holds a directory that takes out too many people at once: a broken filter or an emptied group at the customer's side must
//! not end everybody's access before somebody has looked. Never counts anything itself.

use crate::connection::DepartureGuard;
use crate::facts::Departures;

/// Tells whether one more departure has to wait for an admin. Both limits of the guard must be passed: the number of
/// departures within the window, this one included, and their share of the people who were active when it began.
pub const fn holds(guard: DepartureGuard, departures: Departures) -> bool {
    if departures.approved {
        return false;
    }
    let leaving = departures.recent.saturating_add(1);
    let before = departures.active.saturating_add(departures.recent);
    // In 64 bits, where neither product can overflow.
    leaving >= guard.at_least && leaving as u64 * 100 > before as u64 * guard.percent as u64
}
