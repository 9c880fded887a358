//! Proof of history: whether a log is whole and possible, archives of it that can be checked and restored, and trees
//! over it whose signed heads anybody can hold against it.
//!
//! Everything here reads; nothing decides and nothing is believed. What a record means is left to `stockledger-chain`
//! (which records count) and `stockledger-domain` (what they do).
//!
//! Start reading at [`verify`](mod@verify), then [`archive`], then [`notary`].

pub mod archive;
mod base64_text;
pub mod checkpoint;
mod files;
pub mod find;
pub mod head;
pub mod key;
pub mod notary;
pub mod note;
pub mod proof;
pub mod proofs;
mod reading;
mod tree;
pub mod verify;

pub use checkpoint::{Checkpoint, SignedCheckpoint};
pub use head::Head;
pub use key::{SigningKey, VerifierKey};
pub use notary::Notary;
pub use note::SignedNote;
pub use proof::{ConsistencyProof, InclusionProof};
pub use proofs::Proofs;
pub use verify::{Remembered, Report, verify};
