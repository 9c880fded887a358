//! A writer's snapshot of one partition, as a file. Only a cache: whoever doubts it throws it away and reads the log.
//!
//! ```text
//! offset  0 .. 8       8 .. 12              12 .. 44             44 ..
//!         "SLSNAP\0\0" version, u32 LE      SHA-256 of the body  bincode body
//! ```
//!
//! The version is raised whenever the body or the meaning of the state changes; an older or newer snapshot is not read.

use stockledger_rules::{Rule, keeps};

use crate::code::{HoldReason, KeyScope};
use crate::codec::{self, Decode, Encode};
use crate::hash::Hash;
use crate::order::Order;
use crate::position::{PartitionId, Timestamp};
use crate::quantity::{Level, Quantity};
use crate::record::LedgerId;
use crate::text::{HoldId, KeyId, Name, SiteId, Sku, Unit};

const MAGIC: &[u8; 8] = b"SLSNAP\0\0";
const VERSION: u32 = 2;
const HEADER_BYTES: usize = 44;

/// Everything that a writer needs to go on without reading the log from its beginning.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Snapshot {
    /// Where in the log it was made.
    pub chain: Chain,
    /// The time of the last decision.
    pub last_recorded_at: Timestamp,
    /// The directory's sites.
    pub directory_sites: Vec<DirectorySite>,
    /// The directory's items.
    pub directory_items: Vec<DirectoryItem>,
    /// The directory's API keys.
    pub directory_keys: Vec<DirectoryKey>,
    /// The sites that are open here.
    pub sites: Vec<Site>,
    /// Hash of every idempotency key, and the decision made for it.
    pub keys: Vec<([u8; 16], u64)>,
    /// Hash of every closed order, and the decision that touched it last.
    pub closed_orders: Vec<([u8; 16], u64)>,
    /// `(seq, offset)` of the first decision of each run without claims or void records between.
    pub offset_runs: Vec<(u64, u64)>,
}

/// The chain state; the fields are those of the log protocol.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[expect(missing_docs, reason = "the fields are documented where they live, in the chain crate")]
pub struct Chain {
    pub ledger_id: LedgerId,
    pub partition: PartitionId,
    pub partitions: u16,
    pub window: u32,
    pub genesis: Hash,
    pub term: u64,
    pub seq: u64,
    pub hash: Hash,
    pub before: Hash,
    pub next_offset: u64,
    pub reach: u64,
    pub last_valid_offset: u64,
}

/// A site of the directory.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct DirectorySite {
    /// The site.
    pub site: SiteId,
    /// What it is called.
    pub name: Name,
    /// Where it lives.
    pub partition: PartitionId,
    /// The decision that touched it last.
    pub seq: u64,
}

/// An item of the directory.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct DirectoryItem {
    /// The item.
    pub sku: Sku,
    /// What it is called.
    pub name: Name,
    /// What a quantity of it counts.
    pub unit: Unit,
    /// The decision that touched it last.
    pub seq: u64,
}

/// An API key of the directory, as far as decisions look at it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct DirectoryKey {
    /// The key.
    pub key_id: KeyId,
    /// What it allows.
    pub scopes: Vec<KeyScope>,
    /// The decision that made it.
    pub created_seq: u64,
    /// The decision that revoked it.
    pub revoked_seq: Option<u64>,
}

/// An open site.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Site {
    /// The site.
    pub site: SiteId,
    /// The decision that opened it.
    pub opened_seq: u64,
    /// Its stock.
    pub stock: Vec<Stock>,
    /// Its open orders, each with the decision that touched it last.
    pub orders: Vec<(Order, u64)>,
    /// Its holds.
    pub holds: Vec<Hold>,
}

/// The stock of one SKU.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Stock {
    /// What.
    pub sku: Sku,
    /// What is there.
    pub on_hand: Level,
    /// What is promised.
    pub reserved: Level,
    /// What is set aside, in the order of [`HoldReason::ALL`].
    pub held: [Level; HoldReason::ALL.len()],
    /// The decision that counted it last.
    pub counted_seq: Option<u64>,
    /// The decision that touched it last.
    pub seq: u64,
}

/// A hold.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Hold {
    /// The hold.
    pub hold_id: HoldId,
    /// What.
    pub sku: Sku,
    /// Why.
    pub reason: HoldReason,
    /// How much at first.
    pub quantity: Quantity,
    /// How much is left.
    pub remaining: Level,
    /// The decision that touched it last.
    pub seq: u64,
}

/// Why a file is not a snapshot that this program can use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Something else, or of another version.
    #[error("not a snapshot of version {VERSION}")]
    Foreign,
    /// Torn or changed.
    #[error("the checksum does not fit")]
    Checksum,
    /// The body does not decode.
    #[error("body: {0}")]
    Body(#[from] codec::Error),
}

impl Snapshot {
    /// The bytes of the file.
    ///
    /// # Errors
    /// [`Error::Body`] if something cannot be encoded, which no state of a ledger is.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; HEADER_BYTES];
        codec::encode_large_into(self, &mut bytes)?;
        let hash = Hash::of(&[&bytes[HEADER_BYTES..]]);
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..HEADER_BYTES].copy_from_slice(&hash.0);
        Ok(bytes)
    }

    /// The snapshot that a file holds. The checksum is checked before anything is decoded.
    ///
    /// # Errors
    /// Any variant of [`Error`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let (header, body) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(Error::Foreign)?;
        if header[..8] != *MAGIC || header[8..12] != VERSION.to_le_bytes() {
            return Err(Error::Foreign);
        }
        if Hash::of(&[body]).0 != header[12..] && keeps(Rule::TornSnapshotIsDropped) {
            return Err(Error::Checksum);
        }
        Ok(codec::decode_large(body)?)
    }
}
