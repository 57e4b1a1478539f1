//! An append-only store that many threads read without a lock: what plans are made of while the policy is in use.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Values by a small number; equal values have one number.
#[derive(Debug)]
pub struct Pool<T> {
    slots: Box<[OnceLock<T>]>,
    index: Mutex<HashMap<T, u16>>,
}

impl<T: Clone + Eq + Hash> Pool<T> {
    pub fn new(capacity: u16) -> Pool<T> {
        Pool { slots: (0..capacity).map(|_| OnceLock::new()).collect(), index: Mutex::default() }
    }

    /// The number of a value, a new one if it is new; `None` if the pool is full.
    pub fn intern(&self, value: T) -> Option<u16> {
        // A panic cannot leave the map half-changed: hashing and comparing plain data do not panic.
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = index.get(&value) {
            return Some(*number);
        }
        let number = index.len();
        self.slots.get(number)?.set(value.clone()).ok().expect("a slot is filled once, under the lock");
        index.insert(value, number as u16);
        Some(number as u16)
    }

    /// # Panics
    /// If the number does not come from this pool's [`intern`](Self::intern).
    pub fn get(&self, number: u16) -> &T {
        self.slots[usize::from(number)].get().expect("the number was given out by intern")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_share_a_number_and_a_full_pool_says_so() {
        let pool = Pool::new(2);
        assert_eq!(pool.intern("a"), Some(0));
        assert_eq!(pool.intern("b"), Some(1));
        assert_eq!(pool.intern("a"), Some(0));
        assert_eq!(pool.intern("c"), None);
        assert_eq!(*pool.get(1), "b");
    }
}
