//! How many bytes of requests may be held at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use crate::grpc::{Code, Status};

/// When an agent that was turned away for want of memory may come back.
const COME_BACK: Duration = Duration::from_secs(1);

/// A number of bytes that all workers share.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    used: AtomicUsize,
}

impl Budget {
    pub fn new(limit: usize) -> Arc<Budget> {
        Arc::new(Budget { limit, used: AtomicUsize::new(0) })
    }

    /// Bytes that are held now.
    pub fn used(&self) -> usize {
        self.used.load(Relaxed)
    }
}

/// What one request holds of the budget; given back when it is done.
#[derive(Debug)]
pub struct Held {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Held {
    pub fn none(budget: &Arc<Budget>) -> Held {
        Held { budget: Arc::clone(budget), bytes: 0 }
    }

    /// Holds more, or says that the agent must wait.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Status> {
        let before = self.budget.used.fetch_add(bytes, Relaxed);
        self.bytes += bytes;
        if before + bytes <= self.budget.limit {
            return Ok(());
        }
        Err(Status::new(Code::Unavailable, "overloaded", "too many bytes in flight").retry_after(COME_BACK))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_for_more_than_there_is_must_wait_and_nothing_is_lost() {
        let budget = Budget::new(100);
        let mut first = Held::none(&budget);
        first.grow(80).unwrap();
        let mut second = Held::none(&budget);
        let status = second.grow(21).unwrap_err();
        assert_eq!((status.code, status.retry_after), (Code::Unavailable, Some(COME_BACK)));
        drop(second);
        first.grow(20).unwrap();
        drop(first);
        assert_eq!(budget.used(), 0);
    }
}
