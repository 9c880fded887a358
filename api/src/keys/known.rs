//! The keys of a ledger, as its decisions tell of them.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

use serde::Serialize;
use stockledger_schemas::event::{KeyCreated, KeyRevoked};
use stockledger_schemas::{
    Actor, Decision, Event, Hash, KeyId, KeyScope, PartitionId, Position, Scope, SiteId, Timestamp,
};

use crate::keys::Token;

/// A key. Its JSON is what lists show, without the hash, which is of use to nobody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Key {
    /// Its id.
    pub key_id: KeyId,
    /// Who acts with it.
    pub name: Actor,
    /// What it allows.
    pub scopes: Vec<KeyScope>,
    /// Where; at all sites, if absent.
    pub sites: Option<Vec<SiteId>>,
    /// Until when.
    pub expires_at: Option<Timestamp>,
    /// When it was made, and by whom.
    pub created_at: Timestamp,
    /// See [`Key::created_at`].
    pub created_by: Actor,
    /// When it was revoked, and by whom.
    pub revoked_at: Option<Timestamp>,
    /// See [`Key::revoked_at`].
    pub revoked_by: Option<Actor>,
    /// The decision that touched it last.
    pub position: Position,
    /// SHA-256 of its token.
    #[serde(skip)]
    pub secret_hash: Hash,
}

impl Key {
    /// Whether it opens nothing any more at `now`, and why.
    #[must_use]
    pub fn refused(&self, now: Timestamp) -> Option<Refused> {
        if self.revoked_at.is_some() {
            return Some(Refused::Revoked);
        }
        self.expires_at.is_some_and(|expires_at| expires_at <= now).then_some(Refused::Expired)
    }

    fn status(&self, now: Timestamp) -> &'static str {
        match self.refused(now) {
            None => "live",
            Some(Refused::Expired) => "expired",
            Some(Refused::Revoked) => "revoked",
        }
    }
}

/// A key as lists show it.
#[derive(Debug, Clone, Serialize)]
pub struct Listed {
    /// Whether it opens anything.
    pub status: &'static str,
    /// The key.
    #[serde(flatten)]
    pub key: Key,
}

impl Listed {
    /// The key as it stands at `now`.
    #[must_use]
    pub fn new(key: &Key, now: Timestamp) -> Self {
        Self { status: key.status(now), key: key.clone() }
    }
}

/// Why a key that was shown opens nothing any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Its time is over.
    Expired,
    /// Somebody revoked it.
    Revoked,
}

/// Whose token it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identified {
    /// That of this key, which is live.
    Live(Arc<Key>),
    /// That of a key that was.
    Refused(Refused),
    /// Nobody's.
    Unknown,
}

/// All keys that were ever made.
#[derive(Debug, Clone, Default)]
pub struct Known {
    keys: BTreeMap<KeyId, Arc<Key>>,
}

impl Known {
    /// Whether a decision of the directory's partition says anything about keys.
    #[must_use]
    pub fn concerns(decision: &Decision) -> bool {
        let is_about_keys = |event: &Event| matches!(event, Event::KeyCreated(_) | Event::KeyRevoked(_));
        decision.scope == Scope::Directory && decision.events.iter().any(is_about_keys)
    }

    /// Takes what a decision of the directory's partition says about keys, if it says anything.
    pub fn take(&mut self, decision: &Decision) {
        if !Self::concerns(decision) {
            return;
        }
        for event in &decision.events {
            match event {
                Event::KeyCreated(created) => self.take_created(decision, created),
                Event::KeyRevoked(revoked) => self.take_revoked(decision, revoked),
                _ => {}
            }
        }
    }

    fn take_created(&mut self, decision: &Decision, created: &KeyCreated) {
        let KeyCreated { key_id, name, secret_hash, scopes, sites, expires_at } = created.clone();
        let key = Key {
            key_id: key_id.clone(),
            name,
            scopes,
            sites,
            expires_at,
            created_at: decision.recorded_at,
            created_by: decision.context.actor.clone(),
            revoked_at: None,
            revoked_by: None,
            position: Position::new(PartitionId::DIRECTORY, decision.seq),
            secret_hash,
        };
        // A second one of this id is corruption, which the writer and the verifier report. It must not bring a revoked key
        // back, nor give somebody else's to its maker.
        self.keys.entry(key_id).or_insert_with(|| Arc::new(key));
    }

    fn take_revoked(&mut self, decision: &Decision, revoked: &KeyRevoked) {
        let Some(key) = self.keys.get_mut(&revoked.key_id) else { return };
        let key = Arc::make_mut(key);
        key.revoked_at = Some(decision.recorded_at);
        key.revoked_by = Some(decision.context.actor.clone());
        key.position = Position::new(PartitionId::DIRECTORY, decision.seq);
    }

    /// Whether any key was ever made. From then on nobody comes in without one, also when all are revoked.
    #[must_use]
    pub fn is_any(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Whose token it is. Takes as long for an unknown key as for a known one.
    #[must_use]
    pub fn identify(&self, token: &Token, now: Timestamp) -> Identified {
        let key = self.keys.get(token.key_id());
        let expected = key.map_or(Hash([0; 32]), |key| key.secret_hash);
        let is_right = are_equal(&token.hash(), &expected);
        match key.filter(|_| is_right) {
            None => Identified::Unknown,
            Some(key) => match key.refused(now) {
                Some(refused) => Identified::Refused(refused),
                None => Identified::Live(Arc::clone(key)),
            },
        }
    }

    /// Whether a key opens anything now.
    #[must_use]
    pub fn is_live(&self, key_id: &KeyId, now: Timestamp) -> bool {
        self.live(key_id, now).is_some()
    }

    /// The key of this id, if it opens anything now.
    #[must_use]
    pub fn live(&self, key_id: &KeyId, now: Timestamp) -> Option<Arc<Key>> {
        self.keys.get(key_id).filter(|key| key.refused(now).is_none()).map(Arc::clone)
    }

    /// The keys by id, beginning after one.
    pub fn after(&self, after: Option<&KeyId>) -> impl Iterator<Item = &Arc<Key>> {
        use std::ops::Bound;
        let begin = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.keys.range::<KeyId, _>((begin, Bound::Unbounded)).map(|(_, key)| key)
    }
}

/// Looks at every byte whatever the first ones are.
fn are_equal(one: &Hash, other: &Hash) -> bool {
    let differing = one.0.iter().zip(other.0).fold(0, |differing, (one, other)| differing | (one ^ other));
    black_box(differing) == 0
}

#[cfg(test)]
mod tests {
    use stockledger_schemas::Context;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000).unwrap()
    }

    fn decision(seq: u64, scope: Scope, event: Event) -> Decision {
        Decision {
            term: 1,
            seq,
            prev_hash: Hash([0; 32]),
            recorded_at: at(i64::try_from(seq).unwrap()),
            scope,
            request: None,
            context: Context::by("boss".parse().unwrap()),
            events: vec![event],
        }
    }

    fn created(token: &Token, name: &str) -> Event {
        KeyCreated {
            key_id: token.key_id().clone(),
            name: name.parse().unwrap(),
            secret_hash: token.hash(),
            scopes: vec![KeyScope::StockRead],
            sites: None,
            expires_at: Some(at(100)),
        }
        .into()
    }

    fn holder(known: &Known, token: &Token, now: i64) -> Option<String> {
        match known.identify(token, at(now)) {
            Identified::Live(key) => Some(key.name.to_string()),
            Identified::Refused(_) | Identified::Unknown => None,
        }
    }

    #[test]
    fn a_token_is_known_from_its_key_to_the_end_of_it() {
        let (token, stranger) = (Token::generate().unwrap(), Token::generate().unwrap());
        let mut known = Known::default();
        assert!(!known.is_any());
        assert_eq!(known.identify(&token, at(1)), Identified::Unknown);
        known.take(&decision(1, Scope::Directory, created(&token, "till")));
        assert_eq!(holder(&known, &token, 99).as_deref(), Some("till"));
        assert_eq!(known.identify(&stranger, at(1)), Identified::Unknown);
        let forged = stranger.reveal().replacen(stranger.key_id().as_str(), token.key_id().as_str(), 1);
        assert_eq!(known.identify(&forged.parse().unwrap(), at(1)), Identified::Unknown);
        assert_eq!(known.identify(&token, at(100)), Identified::Refused(Refused::Expired));
        let revoked = KeyRevoked { key_id: token.key_id().clone() }.into();
        known.take(&decision(2, Scope::Directory, revoked));
        assert_eq!(known.identify(&token, at(1)), Identified::Refused(Refused::Revoked));
        assert!(known.is_any());
    }

    #[test]
    fn a_key_is_neither_brought_back_nor_taken_over_by_a_second_one_of_its_id() {
        let token = Token::generate().unwrap();
        let mut known = Known::default();
        known.take(&decision(1, Scope::Directory, created(&token, "till")));
        known.take(&decision(2, Scope::Directory, KeyRevoked { key_id: token.key_id().clone() }.into()));
        known.take(&decision(3, Scope::Directory, created(&token, "thief")));
        assert_eq!(known.identify(&token, at(1)), Identified::Refused(Refused::Revoked));
        assert_eq!(known.after(None).next().unwrap().name.as_str(), "till");
    }

    #[test]
    fn only_the_directory_says_which_keys_there_are() {
        let token = Token::generate().unwrap();
        let mut known = Known::default();
        let of_a_site = decision(1, Scope::Site("uk".parse().unwrap()), created(&token, "till"));
        known.take(&of_a_site);
        assert!(!known.is_any());
    }
}
