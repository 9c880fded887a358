//! How many may listen to events at once, in all and with one API key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::http::Credential;
use crate::http::problem::{Code, Problem};

/// Streams of events and waiting requests for them that are open at once.
pub const EVENT_READERS_MAX: usize = 1_024;
/// Those of one API key.
pub const EVENT_READERS_PER_KEY_MAX: usize = 128;

/// The places. Clones share them.
#[derive(Debug, Clone, Default)]
pub(in crate::http) struct Seats(Arc<Mutex<Taken>>);

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_key: HashMap<Credential, usize>,
}

/// A place, given back when it is dropped.
#[derive(Debug)]
pub(in crate::http) struct Seat {
    seats: Seats,
    key: Option<Credential>,
}

impl Seats {
    /// A place for whoever has this credential; where nobody has one, all share the bound of the node.
    ///
    /// # Errors
    /// `events-unavailable` if there is none.
    pub(in crate::http) fn take(&self, key: Option<Credential>) -> Result<Seat, Problem> {
        let mut taken = self.taken();
        if taken.all >= EVENT_READERS_MAX {
            return Err(full(&format!("{EVENT_READERS_MAX} listen to events on this node")));
        }
        if let Some(key) = &key {
            let of_key = taken.by_key.entry(key.clone()).or_default();
            if *of_key >= EVENT_READERS_PER_KEY_MAX {
                return Err(full(&format!("{EVENT_READERS_PER_KEY_MAX} listen to events with this API key")));
            }
            *of_key += 1;
        }
        taken.all += 1;
        Ok(Seat { seats: self.clone(), key })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn full(what: &str) -> Problem {
    Problem::new(Code::EventsUnavailable, format!("{what}, which is as many as may"))
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken();
        taken.all -= 1;
        let Some(key) = &self.key else { return };
        if let Some(of_key) = taken.by_key.get_mut(key) {
            *of_key -= 1;
            if *of_key == 0 {
                taken.by_key.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_so_many_places_for_a_key_and_so_many_in_all() {
        let seats = Seats::default();
        let key = |name: &str| Some(Credential(name.into()));
        let mut taken: Vec<Seat> =
            (0..EVENT_READERS_PER_KEY_MAX).map(|_| seats.take(key("a")).unwrap()).collect();
        assert_eq!(seats.take(key("a")).unwrap_err().code(), Code::EventsUnavailable);
        taken.push(seats.take(key("b")).unwrap());
        while taken.len() < EVENT_READERS_MAX {
            taken.push(seats.take(None).unwrap());
        }
        assert_eq!(seats.take(None).unwrap_err().code(), Code::EventsUnavailable);
        assert_eq!(seats.take(key("c")).unwrap_err().code(), Code::EventsUnavailable);
        taken.clear();
        assert!(seats.take(key("a")).is_ok());
        assert!(seats.taken().by_key.is_empty(), "a key that left is forgotten");
    }
}
