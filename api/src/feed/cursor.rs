//! Where a reader is: opaque text for callers, one position per partition within.
//!
//! A cursor of the whole ledger is the base64url of a version byte, the seq of each partition as LEB128, and four bytes
//! of a checksum over these and the ledger's id, which tells a damaged cursor and that of another ledger. It stands
//! beside every decision that is streamed, so it is short and cheap: no cryptographic hash. A position is a cursor too,
//! of its partition alone.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use stockledger_schemas::{LedgerId, PartitionId, Position};

const VERSION: u8 = 1;
const CHECKSUM_BYTES: usize = 4;

/// Behind what a reader goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cursor {
    /// Behind this decision, in its partition alone.
    Partition(Position),
    /// In every partition behind the decision of this number.
    Ledger(Vec<u64>),
}

/// Why a text is not a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is damaged or of another ledger; a position such as 0.17 is one too, of its partition")]
pub struct InvalidCursor;

impl Cursor {
    /// Before everything.
    #[must_use]
    pub fn begin(partitions: u16) -> Self {
        Self::Ledger(vec![0; usize::from(partitions)])
    }

    /// The cursor that a text stands for.
    ///
    /// # Errors
    /// [`InvalidCursor`].
    pub fn parse(text: &str, ledger_id: LedgerId, partitions: u16) -> Result<Self, InvalidCursor> {
        if let Ok(position) = text.parse::<Position>() {
            let is_there = position.partition.0 < partitions;
            return if is_there { Ok(Self::Partition(position)) } else { Err(InvalidCursor) };
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidCursor)?;
        let (payload, sum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(InvalidCursor)?;
        if checksum(ledger_id, payload) != *sum {
            return Err(InvalidCursor);
        }
        let (version, mut rest) = payload.split_first().ok_or(InvalidCursor)?;
        let mut seqs = Vec::with_capacity(usize::from(partitions));
        while !rest.is_empty() {
            seqs.push(read_number(&mut rest).ok_or(InvalidCursor)?);
        }
        let is_ours = *version == VERSION && seqs.len() == usize::from(partitions);
        if is_ours { Ok(Self::Ledger(seqs)) } else { Err(InvalidCursor) }
    }

    /// The text that stands for it.
    #[must_use]
    pub fn text(&self, ledger_id: LedgerId) -> String {
        match self {
            Self::Partition(position) => position.to_string(),
            Self::Ledger(seqs) => {
                let mut bytes = Vec::with_capacity(1 + 3 * seqs.len() + CHECKSUM_BYTES);
                bytes.push(VERSION);
                seqs.iter().for_each(|seq| write_number(&mut bytes, *seq));
                let sum = checksum(ledger_id, &bytes);
                bytes.extend_from_slice(&sum);
                URL_SAFE_NO_PAD.encode(bytes)
            }
        }
    }

    /// The decisions behind which it stands.
    #[must_use]
    pub fn places(&self) -> Vec<Position> {
        match self {
            Self::Partition(position) => vec![*position],
            Self::Ledger(seqs) => {
                let partitions = (0..).map(PartitionId);
                partitions.zip(seqs).map(|(partition, seq)| Position::new(partition, *seq)).collect()
            }
        }
    }

    /// Goes on to a decision of one of its partitions.
    pub fn pass(&mut self, reached: Position) {
        match self {
            Self::Partition(position) => *position = reached,
            Self::Ledger(seqs) => {
                if let Some(seq) = seqs.get_mut(usize::from(reached.partition.0)) {
                    *seq = reached.seq;
                }
            }
        }
    }
}

fn write_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push((number & 0x7f) as u8);
}

fn read_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number: u64 = 0;
    for shift in (0..63).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// FNV-1a: it guards against accidents, not against people, who can ask for any position anyway.
fn checksum(ledger_id: LedgerId, payload: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let step = |sum: u32, byte: &u8| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    ledger_id.0.iter().chain(payload).fold(0x811c_9dc5, step).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: LedgerId = LedgerId([7; 16]);

    #[test]
    fn a_cursor_is_read_back_by_its_own_ledger_only() {
        for seqs in [vec![0], vec![0, 1, 127, 128, 300_000, (1 << 63) - 1], vec![9; 1_024]] {
            let partitions = u16::try_from(seqs.len()).unwrap();
            let cursor = Cursor::Ledger(seqs);
            let text = cursor.text(OURS);
            assert_eq!(Cursor::parse(&text, OURS, partitions), Ok(cursor));
            assert_eq!(Cursor::parse(&text, LedgerId([8; 16]), partitions), Err(InvalidCursor));
            assert_eq!(Cursor::parse(&text, OURS, partitions + 1), Err(InvalidCursor));
        }
    }

    #[test]
    fn a_position_is_a_cursor_of_its_partition() {
        let cursor = Cursor::parse("3.17", OURS, 4).unwrap();
        assert_eq!(cursor.places(), ["3.17".parse().unwrap()]);
        assert_eq!(cursor.text(OURS), "3.17");
        assert_eq!(Cursor::parse("4.17", OURS, 4), Err(InvalidCursor));
    }

    #[test]
    fn every_change_of_one_character_is_noticed() {
        let text = Cursor::Ledger(vec![5, 70_000, 3]).text(OURS);
        for (index, character) in text.char_indices() {
            let other = if character == 'A' { 'B' } else { 'A' };
            let mut damaged = text.clone();
            damaged.replace_range(index..=index, &other.to_string());
            assert_eq!(Cursor::parse(&damaged, OURS, 3), Err(InvalidCursor), "{damaged}");
        }
        for damaged in ["", "!", "AQ", "0.", &text[..text.len() - 1]] {
            assert_eq!(Cursor::parse(damaged, OURS, 3), Err(InvalidCursor), "{damaged}");
        }
    }
}
