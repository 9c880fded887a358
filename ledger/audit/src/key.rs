//! Keys of signed notes: the one that signs, in a file that only its owner may read, and those that check.
//!
//! Both are written as the tools around `c2sp.org/signed-note` do, one line each:
//!
//! ```text
//! PRIVATE+KEY+<name>+<id>+<base64 of 0x01 and 32 bytes of seed>          audit.key, mode 0600
//! <name>+<id>+<base64 of 0x01 and 32 bytes of public key>                audit.pub
//! ```
//!
//! The name is `stockledger/<ledger id>`: a key signs for one ledger. The id is the beginning of a hash over name and public
//! key. What the file holds is never printed and never logged.

use std::fmt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::ed25519::signature::Signer;
use stockledger_schemas::{Hash, LedgerId};
use zeroize::Zeroizing;

use crate::files;

const ED25519: u8 = 1;
const KEY_BYTES: usize = 32;
const PRIVATE_PREFIX: &str = "PRIVATE+KEY+";
const PRIVATE_MODE: u32 = 0o600;
const PUBLIC_MODE: u32 = 0o644;
/// Anything that the rest of the world may do with a file.
const OTHERS: u32 = 0o007;

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read or written.
    #[error("the audit key {path}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What went wrong.
        #[source]
        source: std::io::Error,
    },
    /// Everybody can read it.
    #[error("the audit key {0} can be read by everybody on this machine; take that away: chmod 600 {0}")]
    Exposed(PathBuf),
    /// The file is not a key.
    #[error("the file {0} is not an audit key: it must hold one line that begins with {PRIVATE_PREFIX}")]
    Malformed(PathBuf),
    /// It signs for another ledger.
    #[error("the audit key {path} belongs to {found}, this ledger needs one of {expected}")]
    ForeignLedger {
        /// Which file.
        path: PathBuf,
        /// The key's name.
        found: String,
        /// The name that it must have.
        expected: String,
    },
    /// The system gave no random bytes.
    #[error("the system gave no random bytes to make a key of: {0}")]
    Random(getrandom::Error),
}

/// The name of all keys of a ledger.
#[must_use]
pub fn key_name(ledger_id: LedgerId) -> String {
    format!("stockledger/{ledger_id}")
}

/// The key that signs.
pub struct SigningKey {
    name: String,
    key: ed25519_dalek::SigningKey,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SigningKey({})", self.verifier())
    }
}

impl SigningKey {
    /// A new key for a ledger.
    ///
    /// # Errors
    /// [`Error::Random`].
    pub fn generate(ledger_id: LedgerId) -> Result<Self, Error> {
        let mut seed = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(seed.as_mut()).map_err(Error::Random)?;
        Ok(Self { name: key_name(ledger_id), key: ed25519_dalek::SigningKey::from_bytes(&seed) })
    }

    /// The key in the file, or nothing if there is no file.
    ///
    /// # Errors
    /// [`Error`], among them [`Error::Exposed`].
    pub fn load(path: &Path, ledger_id: LedgerId) -> Result<Option<Self>, Error> {
        let failed = |source| Error::File { path: path.to_path_buf(), source };
        let Some(bytes) = files::read(path).map_err(failed)?.map(Zeroizing::new) else { return Ok(None) };
        let mode = std::fs::metadata(path).map_err(failed)?.permissions().mode();
        if mode & OTHERS != 0 {
            return Err(Error::Exposed(path.to_path_buf()));
        }
        let text = std::str::from_utf8(&bytes).ok();
        let key = text.and_then(Self::parse).ok_or_else(|| Error::Malformed(path.to_path_buf()))?;
        let expected = key_name(ledger_id);
        if key.name != expected {
            return Err(Error::ForeignLedger { path: path.to_path_buf(), found: key.name, expected });
        }
        Ok(Some(key))
    }

    /// The key in the file; if there is no file, a new key and its file, and beside it the file `*.pub` with the key that
    /// checks.
    ///
    /// # Errors
    /// [`Error`].
    pub fn load_or_create(path: &Path, ledger_id: LedgerId) -> Result<Self, Error> {
        let key = match Self::load(path, ledger_id)? {
            Some(key) => key,
            None => {
                let key = Self::generate(ledger_id)?;
                let failed = |source| Error::File { path: path.to_path_buf(), source };
                if let Some(directory) = path.parent() {
                    std::fs::create_dir_all(directory).map_err(failed)?;
                }
                files::create(path, key.private_line().as_bytes(), PRIVATE_MODE).map_err(failed)?;
                key
            }
        };
        key.publish(path)?;
        Ok(key)
    }

    /// Makes the file with the key that checks, where it is not there or says something else.
    fn publish(&self, path: &Path) -> Result<(), Error> {
        let path = public_path(path);
        let failed = |source| Error::File { path: path.clone(), source };
        let line = format!("{}\n", self.verifier());
        if files::read(&path).map_err(failed)?.is_some_and(|bytes| bytes == line.as_bytes()) {
            return Ok(());
        }
        files::replace(&path, line.as_bytes(), PUBLIC_MODE).map_err(failed)
    }

    fn parse(text: &str) -> Option<Self> {
        let line = text.strip_suffix('\n').unwrap_or(text);
        let (name, id, seed) = split_key(line.strip_prefix(PRIVATE_PREFIX)?)?;
        let key =
            Self { name: name.to_owned(), key: ed25519_dalek::SigningKey::from_bytes(&*decode_key(seed)?) };
        (id == hex(key.verifier().id())).then_some(key)
    }

    fn private_line(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([ED25519; KEY_BYTES + 1]);
        bytes[1..].copy_from_slice(self.key.as_bytes());
        let encoded = Zeroizing::new(STANDARD.encode(bytes.as_ref()));
        Zeroizing::new(format!(
            "{PRIVATE_PREFIX}{}+{}+{}\n",
            self.name,
            hex(self.verifier().id()),
            encoded.as_str()
        ))
    }

    /// The key that checks what this one signs.
    #[must_use]
    pub fn verifier(&self) -> VerifierKey {
        VerifierKey { name: self.name.clone(), key: self.key.verifying_key() }
    }

    pub(crate) fn sign(&self, text: &[u8]) -> [u8; 64] {
        self.key.sign(text).to_bytes()
    }
}

/// Where the key that checks stands beside the one that signs.
#[must_use]
pub fn public_path(key: &Path) -> PathBuf {
    key.with_extension("pub")
}

/// A key that checks signatures. Shown and read as its one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    key: ed25519_dalek::VerifyingKey,
}

/// Why a text is not a key that checks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a verifier key must be <name>+<8 hexadecimal digits>+<base64 of an Ed25519 key>, as in audit.pub")]
pub struct InvalidVerifierKey;

impl VerifierKey {
    /// Whose it is.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Four bytes by which notes name it: `SHA-256(name || 0x0A || 0x01 || public key)`, its beginning.
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        let hash = Hash::of(&[self.name.as_bytes(), b"\n", &[ED25519], self.key.as_bytes()]);
        let [a, b, c, d, ..] = hash.0;
        [a, b, c, d]
    }

    /// Whether this key signed the text so. Signatures that some would take and others not are not taken.
    pub(crate) fn is_signature_of(&self, text: &[u8], signature: &[u8]) -> bool {
        ed25519_dalek::Signature::from_slice(signature)
            .is_ok_and(|signature| self.key.verify_strict(text, &signature).is_ok())
    }

    /// The keys in a text, one a line; empty lines and lines that begin with `#` are passed over. At least one.
    ///
    /// # Errors
    /// [`InvalidVerifierKey`].
    pub fn parse_all(text: &str) -> Result<Vec<Self>, InvalidVerifierKey> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let keys: Vec<Self> = lines.map(str::parse).collect::<Result<_, _>>()?;
        if keys.is_empty() { Err(InvalidVerifierKey) } else { Ok(keys) }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [[ED25519].as_slice(), self.key.as_bytes()].concat();
        write!(formatter, "{}+{}+{}", self.name, hex(self.id()), STANDARD.encode(bytes))
    }
}

impl FromStr for VerifierKey {
    type Err = InvalidVerifierKey;

    fn from_str(text: &str) -> Result<Self, InvalidVerifierKey> {
        let (name, id, key) = split_key(text).ok_or(InvalidVerifierKey)?;
        let key = decode_key(key).ok_or(InvalidVerifierKey)?;
        let key = ed25519_dalek::VerifyingKey::from_bytes(&key).map_err(|_| InvalidVerifierKey)?;
        let key = Self { name: name.to_owned(), key };
        // Whoever has a weak key signs nothing: its signatures fit many texts.
        if id == hex(key.id()) && !key.key.is_weak() { Ok(key) } else { Err(InvalidVerifierKey) }
    }
}

/// Name, id and base64 of a key. Of the three only the last may contain a plus.
fn split_key(text: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = text.split_once('+')?;
    let (id, key) = rest.split_once('+')?;
    let is_name =
        !name.is_empty() && !name.chars().any(|letter| letter.is_whitespace() || letter.is_control());
    is_name.then_some((name, id, key))
}

fn decode_key(base64: &str) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    let bytes = Zeroizing::new(STANDARD.decode(base64).ok()?);
    let (algorithm, key) = bytes.split_first()?;
    let key: [u8; KEY_BYTES] = key.try_into().ok()?;
    (*algorithm == ED25519).then(|| Zeroizing::new(key))
}

fn hex([a, b, c, d]: [u8; 4]) -> String {
    format!("{a:02x}{b:02x}{c:02x}{d:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const LEDGER: LedgerId = LedgerId([7; 16]);

    #[test]
    fn a_key_is_made_once_and_only_its_owner_may_read_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/audit.key");
        assert!(SigningKey::load(&path, LEDGER).unwrap().is_none());
        let made = SigningKey::load_or_create(&path, LEDGER).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(public_path(&path)).unwrap().permissions().mode() & 0o777, 0o644);
        let again = SigningKey::load_or_create(&path, LEDGER).unwrap();
        assert_eq!(again.verifier(), made.verifier());
        let public = fs::read_to_string(public_path(&path)).unwrap();
        assert_eq!(VerifierKey::parse_all(&public).unwrap(), [made.verifier()]);
        assert_eq!(public, format!("stockledger/{LEDGER}+{}", &public[public.find('+').unwrap() + 1..]));
        // The public file is made again where it is gone.
        fs::remove_file(public_path(&path)).unwrap();
        SigningKey::load_or_create(&path, LEDGER).unwrap();
        assert_eq!(fs::read_to_string(public_path(&path)).unwrap(), public);
    }

    #[test]
    fn a_key_that_everybody_can_read_or_of_another_ledger_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.key");
        SigningKey::load_or_create(&path, LEDGER).unwrap();
        let foreign = SigningKey::load(&path, LedgerId([8; 16]));
        assert!(matches!(foreign, Err(Error::ForeignLedger { .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(SigningKey::load(&path, LEDGER), Err(Error::Exposed(_))));
    }

    #[test]
    fn a_file_that_is_no_key_is_left_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.key");
        SigningKey::load_or_create(&path, LEDGER).unwrap();
        let sound = fs::read_to_string(&path).unwrap();
        let other_id = sound.replacen('+', " ", 1);
        for text in ["", "a letter", "PRIVATE+KEY+a+b+c\n", &other_id, &sound[..sound.len() - 5]] {
            fs::write(&path, text).unwrap();
            assert!(
                matches!(SigningKey::load_or_create(&path, LEDGER), Err(Error::Malformed(_))),
                "{text:?}"
            );
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn a_key_is_not_shown() {
        let key = SigningKey::generate(LEDGER).unwrap();
        let shown = format!("{key:?}");
        let private = key.private_line();
        let secret = private.trim_end().rsplit('+').next().unwrap();
        assert!(!shown.contains(secret) && !shown.contains("PRIVATE"), "{shown}");
    }

    #[test]
    fn a_changed_verifier_key_is_no_key() {
        let key = SigningKey::generate(LEDGER).unwrap().verifier();
        let text = key.to_string();
        assert_eq!(text.parse(), Ok(key));
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(changed.parse::<VerifierKey>().is_err(), "{changed}");
        }
        assert!(VerifierKey::parse_all("# nothing\n\n").is_err());
        assert_eq!(VerifierKey::parse_all(&format!("# a\n\n {text} \n{text}\n")).unwrap().len(), 2);
    }
}
