//! Streams of server-sent events that pages keep open: how many there may be on a node.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::AppError;

/// Most streams of one node: each holds a connection and looks into the database now and then.
const MOST: usize = 500;

static OPEN: AtomicUsize = AtomicUsize::new(0);

/// One open stream; counted until it is dropped.
pub(super) struct Open(());

impl Open {
    /// Counts one more.
    ///
    /// # Errors
    /// 503 when there are as many as there may be: the page does without, and its browser asks again.
    pub(super) fn new() -> Result<Self, AppError> {
        let others = OPEN.fetch_add(1, Ordering::Relaxed);
        // Made before the judgement, so that whoever is turned away is counted out again.
        let open = Self(());
        if others < MOST {
            Ok(open)
        } else {
            Err(AppError::unavailable("too many open streams"))
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::Relaxed);
    }
}
