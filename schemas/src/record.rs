//! The three kinds of record that a log holds. Their rules are those of the log protocol (`docs/protocol.md`).

use uuid::Uuid;

use crate::code::Reason;
use crate::codec::{self, Decode, DecodeError, Decoder, Encode, EncodeError, Encoder};
use crate::event::{self, Event};
use crate::hash::Hash;
use crate::limits::EVENTS_MAX;
use crate::position::{PartitionId, Timestamp};
use crate::text::{Actor, CorrelationId, IdempotencyKey, Name, Note, ReferenceId, ReferenceType, SiteId};

/// Which ledger: 16 random bytes, made once by `init`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, Encode, Decode)]
#[serde(into = "String", try_from = "String")]
pub struct LedgerId(pub [u8; 16]);

impl std::fmt::Display for LedgerId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Uuid::from_bytes(self.0).fmt(formatter)
    }
}

impl From<LedgerId> for String {
    fn from(id: LedgerId) -> Self {
        id.to_string()
    }
}

impl std::str::FromStr for LedgerId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        Ok(Self(Uuid::parse_str(text)?.into_bytes()))
    }
}

impl TryFrom<String> for LedgerId {
    type Error = uuid::Error;

    fn try_from(text: String) -> Result<Self, uuid::Error> {
        text.parse()
    }
}

/// 16 random bytes by which a writer knows its own claim again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, Encode, Decode)]
#[serde(into = "String")]
pub struct Nonce(pub [u8; 16]);

impl From<Nonce> for String {
    fn from(nonce: Nonce) -> Self {
        Uuid::from_bytes(nonce.0).to_string()
    }
}

/// One record of a log.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Record {
    /// The first record of every partition.
    Genesis(Genesis),
    /// A writer begins a term.
    Claim(Claim),
    /// Something was decided.
    Decision(Decision),
}

/// Offset 0 of every partition, written once.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct Genesis {
    /// Which ledger.
    pub ledger_id: LedgerId,
    /// Which partition this is.
    pub partition: PartitionId,
    /// How many the ledger has, for ever.
    pub partitions: u16,
    /// Records that a writer may have in flight.
    pub window: u32,
}

/// A writer begins a term.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct Claim {
    /// Which ledger.
    pub ledger_id: LedgerId,
    /// Which partition.
    pub partition: PartitionId,
    /// One more than the highest seen.
    pub term: u64,
    /// Who claims, for people; nothing is recognised by it.
    pub node: Name,
    /// Where the node answers HTTP.
    pub url: Option<Name>,
    /// By what the writer knows its own claim again.
    pub nonce: Nonce,
    /// The writer's clock.
    pub recorded_at: Timestamp,
}

/// One command, decided: everything that happened, or why nothing did.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Decision {
    /// The writer's term.
    pub term: u64,
    /// Dense from 1 in its partition.
    pub seq: u64,
    /// The chain up to the record before.
    pub prev_hash: Hash,
    /// The writer's clock; never falls within a partition.
    pub recorded_at: Timestamp,
    /// What it is about.
    pub scope: Scope,
    /// What the caller can ask again by; absent for a command that is idempotent by itself.
    pub request: Option<Request>,
    /// Who, why and what for.
    pub context: Context,
    /// From 1 to [`EVENTS_MAX`], in order.
    pub events: Vec<Event>,
}

/// Whether a decision is about the directory or about a site.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Sites and items; partition 0 only.
    Directory,
    /// One site.
    Site(SiteId),
}

/// A command's key and what was sent under it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct Request {
    /// The caller's key.
    pub key: IdempotencyKey,
    /// Hash of route and command, to tell a retry from a reuse.
    pub fingerprint: Hash,
}

/// Who, why and what for: what every decision carries beside its events.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, Encode, Decode)]
pub struct Context {
    /// Who did it.
    pub actor: Actor,
    /// When it happened, where the caller says so; may be earlier than `recorded_at`.
    pub occurred_at: Option<Timestamp>,
    /// Why.
    pub reason: Option<Reason>,
    /// In a person's words.
    pub note: Option<Note>,
    /// The document behind it.
    pub reference: Option<Reference>,
    /// The piece of work that it belongs to.
    pub correlation_id: Option<CorrelationId>,
}

impl Context {
    /// The context of something that `actor` did and said nothing more about.
    #[must_use]
    pub const fn by(actor: Actor) -> Self {
        Self { actor, occurred_at: None, reason: None, note: None, reference: None, correlation_id: None }
    }
}

/// A document outside the ledger.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, Encode, Decode)]
#[serde(deny_unknown_fields)]
pub struct Reference {
    /// What kind of document, such as `purchase_order`.
    #[serde(rename = "type")]
    pub kind: ReferenceType,
    /// Which one.
    pub id: ReferenceId,
}

impl Decision {
    /// When the thing happened: as the caller said, or else when it was recorded.
    #[must_use]
    pub fn occurred_at(&self) -> Timestamp {
        event::occurred_at(self.context.occurred_at, self.recorded_at)
    }
}

impl Scope {
    /// The key of a record of this scope in a log: the site, or nothing. It is for people who look at a topic and is never
    /// read back.
    #[must_use]
    pub fn record_key(&self) -> &str {
        match self {
            Self::Directory => "",
            Self::Site(site) => site.as_str(),
        }
    }
}

impl Record {
    /// The key of this record in a log; see [`Scope::record_key`].
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Decision(decision) => decision.scope.record_key(),
            Self::Genesis(_) | Self::Claim(_) => "",
        }
    }
}

impl Encode for Scope {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        match self {
            Self::Directory => 0_u8.encode(encoder),
            Self::Site(site) => {
                1_u8.encode(encoder)?;
                site.encode(encoder)
            }
        }
    }
}

impl<Context> Decode<Context> for Scope {
    fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
        match u8::decode(decoder)? {
            0 => Ok(Self::Directory),
            1 => Ok(Self::Site(SiteId::decode(decoder)?)),
            other => Err(codec::unknown("scope", u32::from(other))),
        }
    }
}

impl Encode for Decision {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        if !(1..=EVENTS_MAX).contains(&self.events.len()) {
            return Err(EncodeError::Other("a decision has from 1 to 16 events"));
        }
        self.term.encode(encoder)?;
        self.seq.encode(encoder)?;
        self.prev_hash.encode(encoder)?;
        self.recorded_at.encode(encoder)?;
        self.scope.encode(encoder)?;
        self.request.encode(encoder)?;
        self.context.encode(encoder)?;
        self.events.encode(encoder)
    }
}

impl<C> Decode<C> for Decision {
    fn decode<D: Decoder<Context = C>>(decoder: &mut D) -> Result<Self, DecodeError> {
        let decision = Self {
            term: Decode::decode(decoder)?,
            seq: Decode::decode(decoder)?,
            prev_hash: Decode::decode(decoder)?,
            recorded_at: Decode::decode(decoder)?,
            scope: Decode::decode(decoder)?,
            request: Decode::decode(decoder)?,
            context: Decode::decode(decoder)?,
            events: Decode::decode(decoder)?,
        };
        if !(1..=EVENTS_MAX).contains(&decision.events.len()) {
            return Err(codec::invalid(&"a decision has from 1 to 16 events"));
        }
        Ok(decision)
    }
}

codec::impl_borrow_decode!(Scope);
codec::impl_borrow_decode!(Decision);
