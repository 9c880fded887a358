//! Checkpoints: what a partition's tree was at some size, signed. The format is `c2sp.org/tlog-checkpoint`.
//!
//! ```text
//! stockledger/0190163d-8694-739b-aea5-966c26f8ad91/0      origin: ledger and partition
//! 4711                                                    tree size: the decisions of the partition
//! CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=            root of the Merkle tree over their chain hashes
//! chain 9f86d081884c7d65...                               the chain hash of the last of them; of none: the genesis hash
//!
//! — stockledger/0190163d-8694-739b-aea5-966c26f8ad91 ...
//! ```
//!
//! The last line of the text is an extension line of the format. The root says the same, but not to the eye: with the line a
//! head that some other tool printed can be held against a checkpoint (`docs/adr/0011-checkpoints-and-proofs.md`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use stockledger_schemas::{Hash, LedgerId, PartitionId, Position};

use crate::key::{SigningKey, VerifierKey, key_name};
use crate::note::{self, SignedNote};

const CHAIN: &str = "chain ";

/// What a partition of a ledger was at some moment: all its decisions up to one, in 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which ledger.
    pub ledger_id: LedgerId,
    /// Which partition.
    pub partition: PartitionId,
    /// How many decisions there were.
    pub size: u64,
    /// The root of the tree over their chain hashes.
    pub root: Hash,
    /// The chain hash of the last of them (`stockledger_chain::decision_hash`); with none, the hash of the genesis record.
    pub chain_hash: Hash,
}

/// The first line of the checkpoints of a partition.
#[must_use]
pub fn origin(ledger_id: LedgerId, partition: PartitionId) -> String {
    format!("{}/{partition}", key_name(ledger_id))
}

/// Why a checkpoint is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The note around it.
    #[error(transparent)]
    Note(#[from] note::Error),
    /// The text is signed but is no checkpoint.
    #[error("the note is no checkpoint of a stockledger: {0}")]
    Malformed(&'static str),
    /// A key signed for a ledger that is not its own.
    #[error("the key of {signer} signed a checkpoint of {origin}, which is not its ledger")]
    ForeignSigner {
        /// The name of the key.
        signer: String,
        /// What the checkpoint is about.
        origin: String,
    },
}

impl Checkpoint {
    /// The first line: which ledger and which partition.
    #[must_use]
    pub fn origin(&self) -> String {
        origin(self.ledger_id, self.partition)
    }

    /// The position of the last decision that is covered; its seq is the size.
    #[must_use]
    pub const fn position(&self) -> Position {
        Position::new(self.partition, self.size)
    }

    /// The text that is signed.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { size, root, chain_hash, .. } = self;
        format!("{}\n{size}\n{}\n{CHAIN}{chain_hash}\n", self.origin(), STANDARD.encode(root.0))
    }

    /// The checkpoint that a text is, which must be as [`Checkpoint::text`] writes it.
    fn parse(text: &str) -> Result<Self, Error> {
        let lines: Vec<&str> = text.split('\n').collect();
        let [origin, size, root, chain, ""] = lines.as_slice() else {
            return Err(Error::Malformed("it must have four lines"));
        };
        let names = origin.strip_prefix("stockledger/").and_then(|names| names.split_once('/'));
        let ids = names.and_then(|(id, partition)| Some((id.parse().ok()?, partition.parse().ok()?)));
        let (ledger_id, partition) = ids.ok_or(Error::Malformed("its origin is of something else"))?;
        let root = STANDARD.decode(root).ok().and_then(|root| Some(Hash(root.try_into().ok()?)));
        let chain_hash = chain.strip_prefix(CHAIN).and_then(|hash| hash.parse().ok());
        let checkpoint = Self {
            ledger_id,
            partition: PartitionId(partition),
            size: size.parse().map_err(|_| Error::Malformed("its second line is no size"))?,
            root: root.ok_or(Error::Malformed("its third line is no root"))?,
            chain_hash: chain_hash.ok_or(Error::Malformed("its fourth line is no chain hash"))?,
        };
        // Numbers and ids can be written in more ways than one; only one of them is a checkpoint.
        if checkpoint.text() == text { Ok(checkpoint) } else { Err(Error::Malformed("it is not canonical")) }
    }
}

/// A checkpoint and the note that proves who said it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    note: String,
}

impl SignedCheckpoint {
    /// The checkpoint in a note, which one of `keys` must have signed, and must have been made for its ledger.
    ///
    /// # Errors
    /// [`Error`].
    pub fn open(note: &str, keys: &[VerifierKey]) -> Result<Self, Error> {
        let signed = SignedNote::parse(note)?;
        let (text, signer) = signed.verify(keys)?;
        let checkpoint = Checkpoint::parse(text)?;
        if signer.name() != key_name(checkpoint.ledger_id) {
            let (signer, origin) = (signer.name().to_owned(), checkpoint.origin());
            return Err(Error::ForeignSigner { signer, origin });
        }
        Ok(Self { checkpoint, note: note.to_owned() })
    }

    /// The checkpoint in a note that lies where nobody but ourselves writes.
    pub(crate) fn believe(note: &str) -> Result<Self, Error> {
        let checkpoint = Checkpoint::parse(SignedNote::parse(note)?.unverified())?;
        Ok(Self { checkpoint, note: note.to_owned() })
    }

    /// Signs. Whoever calls this has made sure that nothing else was ever signed that contradicts it.
    pub(crate) fn sign(checkpoint: Checkpoint, key: &SigningKey) -> Self {
        Self { checkpoint, note: note::sign(&checkpoint.text(), key) }
    }

    /// What was signed.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The note, to be handed to others.
    #[must_use]
    pub fn note(&self) -> &str {
        &self.note
    }
}
