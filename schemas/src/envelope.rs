//! The envelope: eight bytes in front of every record, readable without knowing what is inside.
//!
//! ```text
//! offset  0   1   2        3      4 5 6 7        8 ..
//!         'S' 'L' format   kind   crc32          bincode body
//!                                 of bytes 0..4 and 8.., little endian, CRC-32/ISO-HDLC
//! ```

use crate::codec::{self, Encode};
use crate::limits::RECORD_BYTES_MAX;
use crate::record::Record;

const MAGIC: [u8; 2] = *b"SL";
const HEADER_BYTES: usize = 8;
/// The format that this program writes, and the newest that it reads.
pub const FORMAT: u8 = 1;

const KIND_GENESIS: u8 = 1;
const KIND_CLAIM: u8 = 2;
const KIND_DECISION: u8 = 3;
// 4 is kept free for a signed quarantine of one bad record.

/// Why bytes are not a record that this program can read.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// Longer than [`RECORD_BYTES_MAX`].
    #[error("record of {found} bytes is longer than {RECORD_BYTES_MAX}")]
    TooLong {
        /// How long it is.
        found: usize,
    },
    /// Too short to hold an envelope.
    #[error("record of {found} bytes is too short for its envelope of {HEADER_BYTES} bytes")]
    TooShort {
        /// How long it is.
        found: usize,
    },
    /// Not one of our records.
    #[error("record does not begin with the letters SL: not a stockledger record")]
    Magic,
    /// Written by a newer program.
    #[error("record has format {found}, this program reads up to {FORMAT}: upgrade this program")]
    NewerFormat {
        /// The record's format.
        found: u8,
    },
    /// The bytes changed since they were written.
    #[error("checksum is {found:08x} but the bytes give {expected:08x}: the record was damaged")]
    Checksum {
        /// What the record says.
        found: u32,
        /// What its bytes give.
        expected: u32,
    },
    /// A kind of record that this program does not know.
    #[error("record kind {found} is unknown: a newer version of stockledger wrote it; upgrade this program")]
    UnknownKind {
        /// The record's kind.
        found: u8,
    },
    /// The body does not decode.
    #[error("record body: {0}")]
    Body(#[from] codec::Error),
}

impl Error {
    /// Whether a newer program would probably read it, so that the remedy is an upgrade.
    #[must_use]
    pub fn is_newer(&self) -> bool {
        matches!(
            self,
            Self::NewerFormat { .. } | Self::UnknownKind { .. } | Self::Body(codec::Error::Unknown { .. })
        )
    }
}

/// The stored bytes of a record.
///
/// # Errors
/// [`codec::Error::TooLarge`] beyond [`RECORD_BYTES_MAX`], [`codec::Error::Invalid`] for a decision without events.
pub fn encode(record: &Record) -> Result<Vec<u8>, codec::Error> {
    match record {
        Record::Genesis(genesis) => encode_body(KIND_GENESIS, genesis),
        Record::Claim(claim) => encode_body(KIND_CLAIM, claim),
        Record::Decision(decision) => encode_decision(decision),
    }
}

/// The stored bytes of a decision; the same as [`encode`], without wrapping it into a [`Record`] first.
///
/// # Errors
/// As [`encode`].
pub fn encode_decision(decision: &crate::record::Decision) -> Result<Vec<u8>, codec::Error> {
    encode_body(KIND_DECISION, decision)
}

fn encode_body<T: Encode>(kind: u8, body: &T) -> Result<Vec<u8>, codec::Error> {
    let mut bytes = Vec::with_capacity(512);
    bytes.extend_from_slice(&[MAGIC[0], MAGIC[1], FORMAT, kind, 0, 0, 0, 0]);
    codec::encode_into(body, &mut bytes)?;
    let checksum = checksum(&bytes).to_le_bytes();
    bytes[4..HEADER_BYTES].copy_from_slice(&checksum);
    Ok(bytes)
}

/// The record that the stored bytes are.
///
/// # Errors
/// Any variant of [`Error`], checked in this order: length, magic, format, checksum, kind, body.
pub fn decode(bytes: &[u8]) -> Result<Record, Error> {
    if bytes.len() > RECORD_BYTES_MAX {
        return Err(Error::TooLong { found: bytes.len() });
    }
    let Some((header, body)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        return Err(Error::TooShort { found: bytes.len() });
    };
    let [magic_s, magic_l, format, kind, crc @ ..] = *header;
    if [magic_s, magic_l] != MAGIC {
        return Err(Error::Magic);
    }
    if format != FORMAT {
        return Err(Error::NewerFormat { found: format });
    }
    let (found, expected) = (u32::from_le_bytes(crc), checksum(bytes));
    if found != expected {
        return Err(Error::Checksum { found, expected });
    }
    match kind {
        KIND_GENESIS => Ok(Record::Genesis(codec::decode(body)?)),
        KIND_CLAIM => Ok(Record::Claim(codec::decode(body)?)),
        KIND_DECISION => Ok(Record::Decision(codec::decode(body)?)),
        _ => Err(Error::UnknownKind { found: kind }),
    }
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&bytes[..4]);
    hasher.update(&bytes[HEADER_BYTES..]);
    hasher.finalize()
}
