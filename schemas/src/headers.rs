//! What a Kafka record says about itself beside its bytes, so that `kcat` and any Kafka UI show what it is.
//!
//! The names are those of CloudEvents in binary mode. They are a function of the record and are never read back. Claims
//! and genesis records are no events: they carry the minimal set, whatever is chosen for decisions.

use uuid::Uuid;

use crate::event::Event;
use crate::position::{PartitionId, Position};
use crate::record::{Claim, Decision, Genesis, Record, Scope};

/// The type of the record's first event, or the kind of a record without events.
pub const TYPE: &str = "ce_type";
/// An id that no other record of the ledger has; a second copy of a record has the same.
pub const ID: &str = "ce_id";
/// What the bytes are.
pub const CONTENT_TYPE: &str = "content-type";
/// The bytes are an envelope as described in `schemas/FORMAT.md`.
pub const MEDIA_TYPE: &str = "application/vnd.stockledger.record";

/// The version of CloudEvents whose names these are.
const SPEC_VERSION: (&str, &str) = ("ce_specversion", "1.0");
/// Whose history it belongs to: `/sites/<site>` or `/directory`.
const SOURCE: &str = "ce_source";
/// When the thing happened.
const TIME: &str = "ce_time";
/// The order that it is about, or the one SKU, hold, site or API key.
const SUBJECT: &str = "ce_subject";
/// The number within its partition, with so many zeros before it that texts are in the order of numbers.
const SEQUENCE: &str = "ce_sequence";
/// What Kafka keeps in order: the site. Absent for the directory.
const PARTITION_KEY: &str = "ce_partitionkey";
/// When it was recorded.
const RECORDED_TIME: &str = "ce_recordedtime";
/// The piece of work that it belongs to, where the caller said one.
const CORRELATION_ID: &str = "ce_correlationid";
/// Its place in the ledger.
const POSITION: &str = "ce_position";

/// Names with their values.
pub type Headers = Vec<(&'static str, String)>;

/// How much the record of a decision says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Detail {
    /// What it is and which: 0.1 kB.
    #[default]
    Minimal,
    /// All that CloudEvents has a name for: 0.4 kB, most of which compression takes away again.
    Full,
}

/// The text is neither `minimal` nor `full`.
#[derive(Debug, thiserror::Error)]
#[error("is neither minimal nor full")]
pub struct InvalidDetail;

impl std::str::FromStr for Detail {
    type Err = InvalidDetail;

    fn from_str(text: &str) -> Result<Self, InvalidDetail> {
        [Self::Minimal, Self::Full].into_iter().find(|one| one.as_str() == text).ok_or(InvalidDetail)
    }
}

impl std::fmt::Display for Detail {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Detail {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Minimal => "minimal",
            Self::Full => "full",
        }
    }
}

/// Of any record of a partition, in the minimal set.
#[must_use]
pub fn of_record(partition: PartitionId, record: &Record) -> Headers {
    match record {
        Record::Genesis(genesis) => of_genesis(genesis),
        Record::Claim(claim) => of_claim(claim),
        Record::Decision(decision) => of_decision(partition, decision, Detail::Minimal),
    }
}

/// Of a decision: its first event, and `<partition>.<term>.<seq>`.
#[must_use]
pub fn of_decision(partition: PartitionId, decision: &Decision, detail: Detail) -> Headers {
    let kind = decision.events.first().map_or("decision", Event::type_name);
    let mut all = headers(kind, format!("{partition}.{}.{}", decision.term, decision.seq));
    if detail == Detail::Full {
        all.extend(more_of_decision(partition, decision));
    }
    all
}

fn more_of_decision(partition: PartitionId, decision: &Decision) -> Headers {
    let (name, version) = SPEC_VERSION;
    let (source, key) = match &decision.scope {
        Scope::Directory => ("/directory".to_owned(), None),
        Scope::Site(site) => (format!("/sites/{site}"), Some(site.to_string())),
    };
    let always = [
        (name, version.to_owned()),
        (SOURCE, source),
        (TIME, decision.occurred_at().to_string()),
        (SEQUENCE, format!("{:020}", decision.seq)),
        (RECORDED_TIME, decision.recorded_at.to_string()),
        (POSITION, Position::new(partition, decision.seq).to_string()),
    ];
    let sometimes = [
        (SUBJECT, decision.events.iter().find_map(subject)),
        (PARTITION_KEY, key),
        (CORRELATION_ID, decision.context.correlation_id.as_ref().map(ToString::to_string)),
    ];
    let sometimes = sometimes.into_iter().filter_map(|(name, value)| Some((name, value?)));
    always.into_iter().chain(sometimes).collect()
}

/// What an event is about, where that is one thing.
fn subject(event: &Event) -> Option<String> {
    let mut skus: Vec<_> = match event {
        Event::StockReceived(received) => received.lines.iter().map(|line| &line.sku).collect(),
        Event::StockAdjusted(adjusted) => adjusted.lines.iter().map(|line| &line.sku).collect(),
        Event::StockCounted(counted) => counted.lines.iter().map(|line| &line.sku).collect(),
        Event::StockHeld(held) => vec![&held.sku],
        Event::HoldReleased(released) => vec![&released.sku],
        Event::ItemRegistered(registered) => vec![&registered.sku],
        Event::ItemUpdated(updated) => vec![&updated.sku],
        Event::SiteRegistered(registered) => return Some(registered.site.to_string()),
        Event::SiteRenamed(renamed) => return Some(renamed.site.to_string()),
        Event::KeyCreated(created) => return Some(created.key_id.to_string()),
        Event::KeyRevoked(revoked) => return Some(revoked.key_id.to_string()),
        Event::CommandRefused(refused) if refused.order_id.is_none() => {
            return refused.hold_id.as_ref().map(ToString::to_string);
        }
        order => return order.order_id().map(ToString::to_string),
    };
    skus.dedup();
    match skus[..] {
        [sku] => Some(sku.to_string()),
        _ => None,
    }
}

/// Of a claim: `claim`, and `<partition>.<term>.<nonce>`, since two writers may claim the same term.
#[must_use]
pub fn of_claim(claim: &Claim) -> Headers {
    headers("claim", format!("{}.{}.{}", claim.partition, claim.term, Uuid::from_bytes(claim.nonce.0)))
}

/// Of a genesis: `genesis`, and `<partition>.0.0`.
#[must_use]
pub fn of_genesis(genesis: &Genesis) -> Headers {
    headers("genesis", format!("{}.0.0", genesis.partition))
}

fn headers(kind: &str, id: String) -> Headers {
    vec![(TYPE, kind.to_owned()), (ID, id), (CONTENT_TYPE, MEDIA_TYPE.to_owned())]
}
