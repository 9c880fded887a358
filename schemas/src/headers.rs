//! What a Kafka record says about itself beside its bytes, so that `kcat` and any Kafka UI show what it is.
//!
//! The names are those of CloudEvents in binary mode. They are a function of the record and are never read back.

use uuid::Uuid;

use crate::position::PartitionId;
use crate::record::{Claim, Decision, Genesis, Record};

/// The type of the record's first event, or the kind of a record without events.
pub const TYPE: &str = "ce_type";
/// An id that no other record of the ledger has; a second copy of a record has the same.
pub const ID: &str = "ce_id";
/// What the bytes are.
pub const CONTENT_TYPE: &str = "content-type";
/// The bytes are an envelope as described in `schemas/FORMAT.md`.
pub const MEDIA_TYPE: &str = "application/vnd.stockledger.record";

/// Names with their values.
pub type Headers = [(&'static str, String); 3];

/// Of any record of a partition.
#[must_use]
pub fn of_record(partition: PartitionId, record: &Record) -> Headers {
    match record {
        Record::Genesis(genesis) => of_genesis(genesis),
        Record::Claim(claim) => of_claim(claim),
        Record::Decision(decision) => of_decision(partition, decision),
    }
}

/// Of a decision: its first event, and `<partition>.<term>.<seq>`.
#[must_use]
pub fn of_decision(partition: PartitionId, decision: &Decision) -> Headers {
    let kind = decision.events.first().map_or("decision", |event| event.type_name());
    headers(kind, format!("{partition}.{}.{}", decision.term, decision.seq))
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
    [(TYPE, kind.to_owned()), (ID, id), (CONTENT_TYPE, MEDIA_TYPE.to_owned())]
}
