//! Which keys have a command under way, for those who answer at the door.
//!
//! A command that is refused there is told that nothing was written. That must not be said of a retry whose first copy is
//! still in flight and may come to a decision.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::index::ShortHash;

/// The keys of all commands of a partition that were let in and are not answered yet.
#[derive(Debug, Default, Clone)]
pub(crate) struct UnderWay(Arc<Mutex<HashMap<ShortHash, usize>>>);

impl UnderWay {
    /// How many commands with this key are under way.
    pub(crate) fn count(&self, key: ShortHash) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied().unwrap_or_default()
    }

    /// Lets a command in; it is under way until what is returned is dropped.
    pub(crate) fn enter(&self, key: ShortHash) -> Passage {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default() += 1;
        Passage { under_way: self.clone(), key }
    }
}

/// Goes with a command that has a key until it is answered.
#[derive(Debug)]
pub(crate) struct Passage {
    under_way: UnderWay,
    key: ShortHash,
}

impl Drop for Passage {
    fn drop(&mut self) {
        let mut keys = self.under_way.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = keys.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                keys.remove(&self.key);
            }
        }
    }
}
