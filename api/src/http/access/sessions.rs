//! Sessions of people who signed in with a browser: what a cookie stands for, on this node alone.
//!
//! A cookie is a random number. What is kept is its hash and the id of the key that it was opened with, so whoever reads this
//! memory, or the cookie, has no key. A session opens nothing that its key does not open at that moment: the guard asks the
//! keyring each time. Absent on purpose: anything on disk. A node that starts again asks everybody to sign in.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use stockledger_schemas::{Hash, KeyId};

/// Sessions that are open at once; beyond them the one that was not used for longest ends.
pub const SESSIONS_MAX: usize = 10_000;
/// The same of one key.
pub const SESSIONS_PER_KEY_MAX: usize = 64;
/// The longest that a session lasts: a shift.
pub const SESSION_LASTS: Duration = Duration::from_secs(12 * 60 * 60);
/// The longest that it is not used.
pub const SESSION_IDLE_MAX: Duration = Duration::from_secs(2 * 60 * 60);

const TICKET_BYTES: usize = 32;

/// All open sessions. Clones share them.
#[derive(Clone, Default)]
pub(in crate::http) struct Sessions(Arc<Mutex<HashMap<Hash, Session>>>);

struct Session {
    key_id: KeyId,
    opened: Instant,
    used: Instant,
}

impl Session {
    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.opened) >= SESSION_LASTS
            || now.saturating_duration_since(self.used) >= SESSION_IDLE_MAX
    }
}

/// Which session it is; of no use to whoever has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) struct SessionId(Hash);

impl SessionId {
    /// Of the ticket that the cookie holds.
    fn of(ticket: &str) -> Self {
        Self(Hash::of(&[ticket.as_bytes()]))
    }
}

impl Sessions {
    /// Opens one and gives its ticket, which nobody has seen before.
    ///
    /// # Errors
    /// That of the operating system, which has no random bytes.
    pub(in crate::http) fn open(&self, key_id: &KeyId, now: Instant) -> Result<String, getrandom::Error> {
        let mut bytes = [0; TICKET_BYTES];
        getrandom::fill(&mut bytes)?;
        let ticket: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut open = self.lock();
        make_room(&mut open, key_id, now);
        let session = Session { key_id: key_id.clone(), opened: now, used: now };
        open.insert(SessionId::of(&ticket).0, session);
        Ok(ticket)
    }

    /// The session of a ticket and its key, if it goes on; from now on it counts as used.
    pub(in crate::http) fn enter(&self, ticket: &str, now: Instant) -> Option<(SessionId, KeyId)> {
        self.find(ticket, now, |session| session.used = now)
    }

    /// The same for what a page does by itself: a browser that was left open is not used.
    pub(in crate::http) fn look(&self, ticket: &str, now: Instant) -> Option<(SessionId, KeyId)> {
        self.find(ticket, now, |_| {})
    }

    fn find(
        &self,
        ticket: &str,
        now: Instant,
        mark: impl FnOnce(&mut Session),
    ) -> Option<(SessionId, KeyId)> {
        let id = SessionId::of(ticket);
        let mut open = self.lock();
        let session = open.get_mut(&id.0)?;
        if session.is_over(now) {
            open.remove(&id.0);
            return None;
        }
        mark(session);
        Some((id, session.key_id.clone()))
    }

    /// Whether it goes on, for an answer that takes long.
    pub(in crate::http) fn is_open(&self, SessionId(id): SessionId, now: Instant) -> bool {
        self.lock().get(&id).is_some_and(|session| !session.is_over(now))
    }

    /// Ends the session of a ticket, if there is one.
    pub(in crate::http) fn close(&self, ticket: &str) {
        self.lock().remove(&SessionId::of(ticket).0);
    }

    /// Nobody who holds the lock can panic half-way through a change that others could see.
    fn lock(&self) -> MutexGuard<'_, HashMap<Hash, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends what is over, and of the key or of all what was not used for longest, until one more fits.
fn make_room(open: &mut HashMap<Hash, Session>, key_id: &KeyId, now: Instant) {
    open.retain(|_, session| !session.is_over(now));
    let of_key = open.values().filter(|session| session.key_id == *key_id).count();
    if of_key >= SESSIONS_PER_KEY_MAX {
        end_quietest(open, |session| session.key_id == *key_id);
    }
    if open.len() >= SESSIONS_MAX {
        end_quietest(open, |_| true);
    }
}

fn end_quietest(open: &mut HashMap<Hash, Session>, is_meant: impl Fn(&Session) -> bool) {
    let meant = open.iter().filter(|(_, session)| is_meant(session));
    if let Some(id) = meant.min_by_key(|(_, session)| session.used).map(|(id, _)| *id) {
        open.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str) -> KeyId {
        KeyId::new(id).unwrap()
    }

    #[test]
    fn a_ticket_opens_its_own_session_until_it_is_closed() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let (one, other) =
            (sessions.open(&key("one00001"), now).unwrap(), sessions.open(&key("other001"), now).unwrap());
        assert_ne!(one, other);
        let (id, key_id) = sessions.enter(&one, now).unwrap();
        assert_eq!(key_id, key("one00001"));
        assert!(sessions.is_open(id, now));
        for wrong in ["", &one[1..], &one.to_uppercase(), &format!("{one}0")] {
            assert_eq!(sessions.enter(wrong, now), None, "{wrong}");
        }
        sessions.close(&one);
        assert_eq!(sessions.enter(&one, now), None);
        assert!(!sessions.is_open(id, now));
        assert!(sessions.enter(&other, now).is_some());
    }

    #[test]
    fn a_session_ends_when_it_is_quiet_and_at_the_end_of_the_shift() {
        let (sessions, begun) = (Sessions::default(), Instant::now());
        let quiet = sessions.open(&key("key00001"), begun).unwrap();
        let busy = sessions.open(&key("key00001"), begun).unwrap();
        let step = SESSION_IDLE_MAX / 2;
        let mut now = begun;
        while now + step < begun + SESSION_LASTS {
            now += step;
            assert!(sessions.enter(&busy, now).is_some());
        }
        assert_eq!(sessions.enter(&quiet, now), None);
        assert_eq!(sessions.enter(&busy, begun + SESSION_LASTS), None);
        assert!(sessions.lock().is_empty());
    }

    #[test]
    fn what_a_page_does_by_itself_keeps_no_session_open() {
        let (sessions, begun) = (Sessions::default(), Instant::now());
        let left_open = sessions.open(&key("key00001"), begun).unwrap();
        let later = begun + SESSION_IDLE_MAX - Duration::from_secs(1);
        assert!(sessions.look(&left_open, later).is_some());
        assert_eq!(sessions.look(&left_open, begun + SESSION_IDLE_MAX), None);
        assert!(sessions.lock().is_empty());
    }

    #[test]
    fn there_are_only_so_many_and_the_quietest_goes_first() {
        let (sessions, now) = (Sessions::default(), Instant::now());
        let second = Duration::from_secs(1);
        let first = sessions.open(&key("key00001"), now).unwrap();
        let next = sessions.open(&key("key00001"), now).unwrap();
        assert!(sessions.enter(&first, now + second).is_some());
        for _ in 0..SESSIONS_PER_KEY_MAX - 1 {
            sessions.open(&key("key00001"), now + 2 * second).unwrap();
        }
        assert!(sessions.enter(&first, now + 2 * second).is_some(), "it was used");
        assert_eq!(sessions.enter(&next, now + 2 * second), None, "it was not");
        for number in 0..SESSIONS_MAX {
            sessions.open(&key(&format!("key1{number:04}")), now + 3 * second).unwrap();
        }
        assert_eq!(sessions.lock().len(), SESSIONS_MAX);
        assert_eq!(sessions.enter(&first, now + 3 * second), None);
    }
}
