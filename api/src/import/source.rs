//! Where the bytes of an input come from: a file, or the demo data that the program carries. Plain or packed with gzip,
//! which is told by the first two bytes and never by a name.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::PathBuf;

use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};
use stockledger_schemas::Hash;

/// Largest input, unpacked: about 12 million lines. It bounds the memory that a hostile file can take.
pub const INPUT_BYTES_MAX: u64 = 1 << 30;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// How much is read first, in one piece: enough to see [`GZIP_MAGIC`], and the byte order mark that the CSV reader leaves
/// out only if more comes with it.
const HEAD_BYTES: u64 = 4_096;

/// One month of a real retailer, cut from a public data set; see `api/data/README.md`.
const DEMO: &[u8] = include_bytes!("../../data/online-retail-2009-12.csv.gz");

/// Where the bytes of an input come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// Bytes in memory, with a name for messages.
    Bytes {
        /// What messages call it.
        name: String,
        /// The bytes.
        bytes: &'static [u8],
    },
}

impl Source {
    /// The month of invoices that the program carries.
    #[must_use]
    pub fn demo() -> Self {
        Self::Bytes { name: "demo data".to_owned(), bytes: DEMO }
    }

    /// What messages call it.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Bytes { name, .. } => name.clone(),
        }
    }

    /// The content, unpacked and counted. It blocks.
    ///
    /// # Errors
    /// What opening the file gives.
    pub(super) fn open(&self) -> io::Result<Measured<Box<dyn Read>>> {
        match self {
            Self::File(path) => unpacked(File::open(path)?),
            Self::Bytes { bytes, .. } => unpacked(*bytes),
        }
    }
}

fn unpacked(mut reader: impl Read + 'static) -> io::Result<Measured<Box<dyn Read>>> {
    let mut head = Vec::new();
    reader.by_ref().take(HEAD_BYTES).read_to_end(&mut head)?;
    let is_packed = head.starts_with(&GZIP_MAGIC);
    let whole = Cursor::new(head).chain(reader);
    let content: Box<dyn Read> =
        if is_packed { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) };
    Ok(Measured { reader: content, hasher: Sha256::new(), bytes: 0 })
}

/// A reader that hashes what passes through it, and ends with an error beyond [`INPUT_BYTES_MAX`].
pub(super) struct Measured<R> {
    reader: R,
    hasher: Sha256,
    bytes: u64,
}

impl<R> Measured<R> {
    /// The SHA-256 of all that was read.
    pub(super) fn finish(self) -> Hash {
        Hash(self.hasher.finalize().into())
    }
}

impl<R: Read> Read for Measured<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        self.bytes = self.bytes.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
        if self.bytes > INPUT_BYTES_MAX {
            return Err(io::Error::other(format!("it is larger than {INPUT_BYTES_MAX} bytes unpacked")));
        }
        Ok(count)
    }
}
