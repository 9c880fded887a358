//! The only module that knows bincode.
//!
//! Values are encoded with bincode 2.0.1 in its `standard()` configuration: little endian, variable-length integers.
//! Three things that bincode alone does not give are added here, because a log must be readable in one way only and
//! must never take the program down: a size limit on every decode (nine hostile bytes can otherwise abort the process),
//! a refusal of trailing bytes, and a refusal of encodings that are not the canonical one (bincode reads `251,5,0` as 5).

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
pub(crate) use bincode::de::Decoder;
use bincode::de::read::Reader;
pub(crate) use bincode::enc::Encoder;
use bincode::enc::write::Writer;
use bincode::error::AllowedEnumVariants;
pub(crate) use bincode::error::{DecodeError, EncodeError};
pub(crate) use bincode::{Decode, Encode, impl_borrow_decode};
use smol_str::SmolStr;

use crate::limits::RECORD_BYTES_MAX;

/// Why bytes could not be turned into a value, or a value into bytes.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// The value or a length inside it is beyond [`RECORD_BYTES_MAX`].
    #[error("larger than the limit of {RECORD_BYTES_MAX} bytes")]
    TooLarge,
    /// The bytes end in the middle of a value.
    #[error("bytes end in the middle of a value")]
    Truncated,
    /// Bytes are left over behind the value.
    #[error("{count} bytes left over behind the value")]
    Trailing {
        /// How many.
        count: usize,
    },
    /// The bytes decode, but are not what encoding the value gives.
    #[error("not the canonical encoding of its value")]
    NotCanonical,
    /// A tag, version or code that this program does not know.
    #[error("{what} {} is unknown: a newer version of stockledger wrote it; upgrade this program", tag_and_version(*found))]
    Unknown {
        /// What kind of tag it is.
        what: &'static str,
        /// For tagged unions `tag * 256 + version`, else the code.
        found: u32,
    },
    /// A value that breaks the rules of its type.
    #[error("invalid value: {0}")]
    Invalid(String),
}

/// `7 version 1` for the tag of a union, `99` for a code, which is one byte.
fn tag_and_version(found: u32) -> String {
    match found {
        0..=255 => found.to_string(),
        _ => format!("{} version {}", found / 256, found % 256),
    }
}

type Config = Configuration<LittleEndian, Varint, Limit<DECODED_BYTES_MAX>>;

const CONFIG: Config = bincode::config::standard().with_limit::<DECODED_BYTES_MAX>();

/// For files of our own, which are written whatever they hold.
const LARGE: Configuration = bincode::config::standard();

/// Most memory that a decode may claim for each stored byte. bincode counts a number by its width in memory and a vector by
/// the size of its elements, both up to ten times what they take in stored bytes. A bound of the stored bytes alone would
/// thus let records be written that could not be read back.
const DECODED_BYTES_PER_BYTE: usize = 16;
const DECODED_BYTES_MAX: usize = DECODED_BYTES_PER_BYTE * RECORD_BYTES_MAX;

/// Appends the canonical encoding of `value` to `out`.
///
/// # Errors
/// [`Error::TooLarge`] if `out` grows beyond [`RECORD_BYTES_MAX`]; `out` is then to be thrown away.
pub fn encode_into<T: Encode>(value: &T, out: &mut Vec<u8>) -> Result<(), Error> {
    bincode::encode_into_writer(value, Appender(out), CONFIG)
        .map_err(|error| Error::Invalid(explain_encode(&error)))?;
    if out.len() > RECORD_BYTES_MAX { Err(Error::TooLarge) } else { Ok(()) }
}

/// Decodes exactly all of `bytes`, which must be the canonical encoding.
///
/// # Errors
/// Any variant of [`Error`]; never a panic, and never an allocation beyond the limit.
pub fn decode<T: Encode + Decode<()>>(bytes: &[u8]) -> Result<T, Error> {
    if bytes.len() > RECORD_BYTES_MAX {
        return Err(Error::TooLarge);
    }
    let (value, used): (T, usize) = bincode::decode_from_slice(bytes, CONFIG).map_err(Error::from)?;
    if used != bytes.len() {
        return Err(Error::Trailing { count: bytes.len() - used });
    }
    let mut comparison = Comparison { expected: bytes };
    bincode::encode_into_writer(&value, &mut comparison, CONFIG).map_err(|_| Error::NotCanonical)?;
    if comparison.expected.is_empty() { Ok(value) } else { Err(Error::NotCanonical) }
}

/// As [`encode_into`], without the limit of a record: for files of our own.
pub(crate) fn encode_large_into<T: Encode>(value: &T, out: &mut Vec<u8>) -> Result<(), Error> {
    bincode::encode_into_writer(value, Appender(out), LARGE)
        .map_err(|error| Error::Invalid(explain_encode(&error)))
}

/// As [`decode`], without the limit of a record and the canonical check: for files of our own whose checksum was checked.
/// A length inside may claim no more memory than the file is long, so that a small one never takes much.
pub(crate) fn decode_large<T: Decode<()>>(bytes: &[u8]) -> Result<T, Error> {
    // bincode has its limits in types, so there is a ladder of them.
    let decode = match bytes.len().saturating_mul(DECODED_BYTES_PER_BYTE) {
        0..=0xf_ffff => decode_within::<T, { 1 << 20 }>,
        0x10_0000..=0xff_ffff => decode_within::<T, { 1 << 24 }>,
        0x100_0000..=0xfff_ffff => decode_within::<T, { 1 << 28 }>,
        0x1000_0000..=0xffff_ffff => decode_within::<T, { 1 << 32 }>,
        // Enough for the snapshot of a partition with some hundred million keys.
        _ => decode_within::<T, { 1 << 36 }>,
    };
    let (value, used) = decode(bytes)?;
    if used == bytes.len() { Ok(value) } else { Err(Error::Trailing { count: bytes.len() - used }) }
}

fn decode_within<T: Decode<()>, const BYTES_MAX: usize>(bytes: &[u8]) -> Result<(T, usize), Error> {
    let config = bincode::config::standard().with_limit::<BYTES_MAX>();
    bincode::decode_from_slice(bytes, config).map_err(Error::from)
}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        match error {
            DecodeError::LimitExceeded => Self::TooLarge,
            DecodeError::UnexpectedEnd { .. } => Self::Truncated,
            DecodeError::UnexpectedVariant {
                type_name,
                allowed: AllowedEnumVariants::Allowed([]),
                found,
            } => Self::Unknown { what: type_name, found },
            DecodeError::UnexpectedVariant { found, .. } => {
                Self::Invalid(format!("the first byte of an optional value must be 0 or 1, not {found}"))
            }
            DecodeError::InvalidIntegerType { .. } => {
                Self::Invalid("a number is stored wider than its type".to_owned())
            }
            DecodeError::Other(text) => Self::Invalid(text.to_owned()),
            DecodeError::OtherString(text) => Self::Invalid(text),
            other => Self::Invalid(other.to_string()),
        }
    }
}

fn explain_encode(error: &EncodeError) -> String {
    match error {
        EncodeError::Other(text) => (*text).to_owned(),
        other => other.to_string(),
    }
}

/// The error of a tag or code that this program does not know.
pub(crate) fn unknown(what: &'static str, found: u32) -> DecodeError {
    DecodeError::UnexpectedVariant { type_name: what, allowed: &AllowedEnumVariants::Allowed(&[]), found }
}

/// The error of a decoded value that breaks the rules of its type.
pub(crate) fn invalid(error: &impl ToString) -> DecodeError {
    DecodeError::OtherString(error.to_string())
}

/// Reads a text of at most `N` bytes without touching the heap when it is short; `rule` is the error of a text that is
/// too long or not UTF-8.
pub(crate) fn decode_text<const N: usize, D: Decoder>(
    decoder: &mut D,
    rule: &impl ToString,
) -> Result<SmolStr, DecodeError> {
    let length = u64::decode(decoder)?;
    let length = usize::try_from(length).ok().filter(|length| *length <= N).ok_or_else(|| invalid(rule))?;
    decoder.claim_bytes_read(length)?;
    let mut buffer = [0_u8; N];
    decoder.reader().read(&mut buffer[..length])?;
    let text = std::str::from_utf8(&buffer[..length]).map_err(|_| invalid(rule))?;
    Ok(SmolStr::new(text))
}

struct Appender<'a>(&'a mut Vec<u8>);

impl Writer for Appender<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// A writer that writes nothing but insists on seeing the expected bytes.
struct Comparison<'a> {
    expected: &'a [u8],
}

impl Writer for &mut Comparison<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.expected = self.expected.strip_prefix(bytes).ok_or(EncodeError::Other("differs"))?;
        Ok(())
    }
}
