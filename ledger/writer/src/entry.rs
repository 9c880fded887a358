//! Records as they go into the log: bytes, key and headers.

use bytes::Bytes;
use stockledger_log::Entry;
use stockledger_schemas::headers::Detail;
use stockledger_schemas::{Claim, Decision, Genesis, PartitionId, Record, codec, envelope, headers};

/// A decision, of which the bytes are known already. Its key is its site.
#[must_use]
pub fn of_decision(partition: PartitionId, decision: &Decision, value: Bytes, detail: Detail) -> Entry {
    let key = Bytes::copy_from_slice(decision.scope.record_key().as_bytes());
    Entry { key, value, headers: headers::of_decision(partition, decision, detail) }
}

/// A claim.
///
/// # Errors
/// As [`envelope::encode`].
pub fn of_claim(claim: Claim) -> Result<Entry, codec::Error> {
    let headers = headers::of_claim(&claim);
    Ok(Entry { headers, ..Entry::new(Bytes::new(), envelope::encode(&Record::Claim(claim))?) })
}

/// A genesis.
///
/// # Errors
/// As [`envelope::encode`].
pub fn of_genesis(genesis: Genesis) -> Result<Entry, codec::Error> {
    let headers = headers::of_genesis(&genesis);
    Ok(Entry { headers, ..Entry::new(Bytes::new(), envelope::encode(&Record::Genesis(genesis))?) })
}
