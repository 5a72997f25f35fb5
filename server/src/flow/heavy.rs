//! Work that keeps a processor busy: away from the threads that serve requests, and never more of it at once than there
//! are processors, so that a flood of large messages waits in turn instead of taking memory.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::error::{AppError, Result};

/// The places where heavy work is done. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Heavy {
    places: Arc<Semaphore>,
}

impl Default for Heavy {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            places: Arc::new(Semaphore::new(processors)),
        }
    }
}

impl Heavy {
    /// Does the work when a place is free.
    ///
    /// # Errors
    /// 500 if the work panics.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let place = Arc::clone(&self.places)
            .acquire_owned()
            .await
            .map_err(AppError::internal)?;
        // The place is given back when the work ends, also when nobody waits for it any more.
        let done = tokio::task::spawn_blocking(move || {
            let outcome = work();
            drop(place);
            outcome
        });
        done.await.map_err(AppError::internal)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn no_more_runs_at_once_than_there_are_places() {
        let heavy = Heavy {
            places: Arc::new(Semaphore::new(2)),
        };
        let running = Arc::new(AtomicUsize::new(0));
        let most = Arc::new(AtomicUsize::new(0));
        let work = (0..20).map(|_| {
            let (heavy, running, most) = (heavy.clone(), Arc::clone(&running), Arc::clone(&most));
            tokio::spawn(async move {
                heavy
                    .run(move || {
                        let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                        most.fetch_max(now, Ordering::SeqCst);
                        std::thread::yield_now();
                        running.fetch_sub(1, Ordering::SeqCst);
                    })
                    .await
                    .unwrap();
            })
        });
        for one in work.collect::<Vec<_>>() {
            one.await.unwrap();
        }
        assert!((1..=2).contains(&most.load(Ordering::SeqCst)));
        assert!(heavy.run(|| panic!("this one panics")).await.is_err());
        heavy.run(|| ()).await.unwrap();
        heavy.run(|| ()).await.unwrap();
        heavy.run(|| ()).await.unwrap();
    }
}
