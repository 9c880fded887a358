//! Signed notes: a text and who signed it, in the format of `c2sp.org/signed-note`.
//!
//! ```text
//! stockledger/0190163d-8694-739b-aea5-966c26f8ad91/0        the text, each line with its end
//! ...
//!                                                           an empty line, the last one of the note
//! — stockledger/0190163d-... AbCd...                        key name, base64 of 4 bytes of key id and the signature
//! ```
//!
//! The text is for nobody to see before a signature was checked, so a parsed note gives it away only with
//! [`SignedNote::verify`].

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::key::{SigningKey, VerifierKey};

/// Longest note: one of ours has some hundred bytes, and 16 witnesses with large signatures fit beside.
pub const NOTE_BYTES_MAX: usize = 128 * 1024;
/// Most signatures of a note that are looked at; the format asks for 16 at least.
pub const SIGNATURES_MAX: usize = 32;
const KEY_ID_BYTES: usize = 4;
/// Em dash and space.
const SIGNATURE_PREFIX: &str = "\u{2014} ";

/// A note that can be read; nobody has checked who signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<Signature>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Signature {
    key_name: String,
    key_id: [u8; KEY_ID_BYTES],
    bytes: Vec<u8>,
}

/// Why a note is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is not in the format.
    #[error("it is not a signed note: {0}")]
    Malformed(&'static str),
    /// Nobody whom we know signed it.
    #[error("no key that was given signed the note; it is signed by {}", .0.join(", "))]
    UnknownSigners(Vec<String>),
    /// Somebody whom we know did not sign this text.
    #[error("the signature of {0} is not one of this note: the note was changed, or forged")]
    WrongSignature(String),
}

impl SignedNote {
    /// Reads a note.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn parse(note: &str) -> Result<Self, Error> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(Error::Malformed("it is too long"));
        }
        if note.chars().any(|letter| letter < ' ' && letter != '\n') {
            return Err(Error::Malformed("it has control characters"));
        }
        let (text, signatures) = note.rsplit_once("\n\n").ok_or(Error::Malformed("it has no empty line"))?;
        let signatures =
            signatures.strip_suffix('\n').ok_or(Error::Malformed("its last line does not end"))?;
        let signatures: Vec<Signature> = signatures
            .split('\n')
            .take(SIGNATURES_MAX + 1)
            .map(Signature::parse)
            .collect::<Option<_>>()
            .ok_or(Error::Malformed("a line behind the empty one is no signature"))?;
        if signatures.len() > SIGNATURES_MAX {
            return Err(Error::Malformed("it has too many signatures"));
        }
        Ok(Self { text: format!("{text}\n"), signatures })
    }

    /// The text, and the key that signed it. Signatures by others are passed over; one under the name and id of a known
    /// key must be right.
    ///
    /// # Errors
    /// [`Error::WrongSignature`], [`Error::UnknownSigners`].
    pub fn verify<'a>(&self, keys: &'a [VerifierKey]) -> Result<(&str, &'a VerifierKey), Error> {
        let mut signer = None;
        for signature in &self.signatures {
            let is_its = |key: &&VerifierKey| {
                (key.name(), key.id()) == (signature.key_name.as_str(), signature.key_id)
            };
            let Some(key) = keys.iter().find(is_its) else { continue };
            if !key.is_signature_of(self.text.as_bytes(), &signature.bytes) {
                return Err(Error::WrongSignature(signature.key_name.clone()));
            }
            signer = signer.or(Some(key));
        }
        let unknown = || Error::UnknownSigners(self.signatures.iter().map(Signature::signer).collect());
        signer.map(|key| (self.text.as_str(), key)).ok_or_else(unknown)
    }

    /// The text, whoever wrote it: for a note that nobody but ourselves can have put where it was.
    pub(crate) fn unverified(&self) -> &str {
        &self.text
    }
}

impl Signature {
    fn parse(line: &str) -> Option<Self> {
        let (key_name, signature) = line.strip_prefix(SIGNATURE_PREFIX)?.split_once(' ')?;
        let decoded = STANDARD.decode(signature).ok()?;
        let (key_id, bytes) = decoded.split_first_chunk()?;
        let is_sound = !key_name.is_empty() && !bytes.is_empty();
        is_sound.then(|| Self { key_name: key_name.to_owned(), key_id: *key_id, bytes: bytes.to_vec() })
    }

    fn signer(&self) -> String {
        let [a, b, c, d] = self.key_id;
        format!("{}+{a:02x}{b:02x}{c:02x}{d:02x}", self.key_name)
    }
}

/// The note of a text, which ends with a newline and has no empty line, signed.
pub(crate) fn sign(text: &str, key: &SigningKey) -> String {
    let verifier = key.verifier();
    let signed = [verifier.id().as_slice(), &key.sign(text.as_bytes())].concat();
    format!("{text}\n{SIGNATURE_PREFIX}{} {}\n", verifier.name(), STANDARD.encode(signed))
}
