//! Cursors: where a list goes on, opaque to callers.
//!
//! A cursor is the base64url of a version byte, eight bytes of a hash over the list and the key, and the key. The hash
//! binds the cursor to its list and filters, and tells a damaged one: a wrong page would be worse than a refusal.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use stockledger_projections::views::AsOf;
use stockledger_projections::{LevelKey, MovementKey};
use stockledger_schemas::{Hash, KeyId, SiteId, Sku, Timestamp};

use crate::http::problem::{Code, Problem};

const VERSION: u8 = 1;
const HASH_BYTES: usize = 8;

/// The key by which a list goes on.
pub(super) trait Key: Sized {
    /// The key as text.
    fn write(&self) -> String;

    /// The key that a text stands for.
    fn read(text: &str) -> Option<Self>;
}

impl Key for SiteId {
    fn write(&self) -> String {
        self.to_string()
    }

    fn read(text: &str) -> Option<Self> {
        Self::new(text).ok()
    }
}

impl Key for Sku {
    fn write(&self) -> String {
        self.to_string()
    }

    fn read(text: &str) -> Option<Self> {
        Self::new(text).ok()
    }
}

impl Key for KeyId {
    fn write(&self) -> String {
        self.to_string()
    }

    fn read(text: &str) -> Option<Self> {
        Self::new(text).ok()
    }
}

impl Key for u64 {
    fn write(&self) -> String {
        self.to_string()
    }

    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Key for MovementKey {
    fn write(&self) -> String {
        format!("{}.{}", self.seq, self.line)
    }

    fn read(text: &str) -> Option<Self> {
        let (seq, line) = text.split_once('.')?;
        Some(Self { seq: seq.parse().ok()?, line: line.parse().ok()? })
    }
}

impl<Id: Key> Key for LevelKey<Id> {
    fn write(&self) -> String {
        format!("{} {}", self.balance, self.id.write())
    }

    fn read(text: &str) -> Option<Self> {
        let (balance, id) = text.split_once(' ')?;
        Some(Self { balance: balance.parse().ok()?, id: Id::read(id)? })
    }
}

/// A key of a list about one state, with the states that its first page was answered from: those behind it are of the
/// same. There is one for each partition at most.
pub(super) struct Kept<S, K> {
    states: S,
    key: K,
}

impl<S, K> Kept<S, K> {
    pub(super) const fn new(states: S, key: K) -> Self {
        Self { states, key }
    }

    pub(super) fn parts(self) -> (S, K) {
        (self.states, self.key)
    }
}

/// The states stand before the first space, which is in none of them.
impl<S: Key, K: Key> Key for Kept<S, K> {
    fn write(&self) -> String {
        format!("{} {}", self.states.write(), self.key.write())
    }

    fn read(text: &str) -> Option<Self> {
        let (states, key) = text.split_once(' ')?;
        Some(Self { states: S::read(states)?, key: K::read(key)? })
    }
}

impl Key for AsOf {
    fn write(&self) -> String {
        let recorded_at = self.as_of.map(|recorded_at| recorded_at.micros().to_string());
        format!("{}@{}", self.position, recorded_at.unwrap_or_default())
    }

    fn read(text: &str) -> Option<Self> {
        let (position, recorded_at) = text.split_once('@')?;
        let as_of = match recorded_at {
            "" => None,
            micros => Some(Timestamp::from_micros(micros.parse().ok()?).ok()?),
        };
        Some(Self { position: position.parse().ok()?, as_of, stale: None })
    }
}

impl Key for Vec<AsOf> {
    fn write(&self) -> String {
        self.iter().map(Key::write).collect::<Vec<_>>().join(",")
    }

    fn read(text: &str) -> Option<Self> {
        text.split(',').filter(|state| !state.is_empty()).map(AsOf::read).collect()
    }
}

/// The cursor of the page after `key` of a list. `list` names the list with its filters.
pub(super) fn write(list: &str, key: &impl Key) -> String {
    sealed(list, &key.write())
}

/// The cursor that holds a key as text.
pub(super) fn sealed(list: &str, key: &str) -> String {
    let mut bytes = Vec::with_capacity(1 + HASH_BYTES + key.len());
    bytes.push(VERSION);
    bytes.extend_from_slice(&hash(list, key));
    bytes.extend_from_slice(key.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The key that a cursor of this list holds.
///
/// # Errors
/// `invalid-cursor` if it is damaged, of another list, or of the same list with other filters.
pub(super) fn read<K: Key>(list: &str, cursor: &str) -> Result<K, Problem> {
    checked_key(list, cursor).ok_or_else(|| {
        let detail =
            "the cursor is damaged or belongs to another list or to other filters; begin without one";
        Problem::new(Code::InvalidCursor, detail)
    })
}

fn checked_key<K: Key>(list: &str, cursor: &str) -> Option<K> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (version, rest) = bytes.split_first()?;
    let (expected, key) = rest.split_at_checked(HASH_BYTES)?;
    let key = std::str::from_utf8(key).ok()?;
    let is_ours = *version == VERSION && hash(list, key) == expected;
    if is_ours { K::read(key) } else { None }
}

fn hash(list: &str, key: &str) -> [u8; HASH_BYTES] {
    let mut short = [0; HASH_BYTES];
    short.copy_from_slice(&Hash::of(&[list.as_bytes(), b"\n", key.as_bytes()]).0[..HASH_BYTES]);
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_by_its_own_list_only() {
        let key = MovementKey { seq: 17, line: 2 };
        let cursor = write("a list", &key);
        assert_eq!(read::<MovementKey>("a list", &cursor).unwrap(), key);
        assert_eq!(read::<MovementKey>("b list", &cursor).unwrap_err().code(), Code::InvalidCursor);
    }

    #[test]
    fn every_change_of_one_character_is_noticed() {
        let cursor = write("a list", &123_456_u64);
        for (index, character) in cursor.char_indices() {
            let other = if character == 'A' { 'B' } else { 'A' };
            let mut damaged = cursor.clone();
            damaged.replace_range(index..=index, &other.to_string());
            assert!(read::<u64>("a list", &damaged).is_err(), "{damaged}");
        }
        for damaged in ["", "!", "AQ", &cursor[..cursor.len() - 1]] {
            assert!(read::<u64>("a list", damaged).is_err(), "{damaged}");
        }
    }
}
