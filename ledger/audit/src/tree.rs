//! The tree of a partition in a file that is only ever appended to, a cache that can be made again from the log.
//!
//! A decision is one group: where its record stands in the log, the leaf, and the hash of each larger subtree that the leaf
//! completes. Where a group begins follows from its number, so any hash of the tree is one read away, and so is the record
//! of a position. Numbers are little endian; the checksum also covers the number of the group.
//!
//! ```text
//! 'SLTREE' 1 '\n' | group 0 | group 1 | group 2 | ...
//!
//! group i         | offset in the log | leaf | level 1 | ... level t | crc32 |      t = trailing ones of i
//! bytes                     8            32                                4
//! begins at       8 + 12 i + 32 (2 i - ones of i)
//! ```
//!
//! A group that a crash left torn is cut off. One that is damaged fails its checksum when it is read; whoever asked for it
//! drops the file and makes it again.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use stockledger_chain::merkle::{Frontier, Subtrees, leaf_hash};
use stockledger_schemas::Hash;

const MAGIC: [u8; 8] = *b"SLTREE\x01\n";
const HASH_BYTES: usize = 32;
const OFFSET_BYTES: usize = 8;
const CHECKSUM_BYTES: usize = 4;
/// No tree is larger: the limit of a position, and far beyond any file.
const SIZE_MAX: u64 = 1 << 56;

/// Why a tree cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The file cannot be read or written.
    #[error("the tree {path}")]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The file is not as it was written.
    #[error("the tree {path} is damaged at decision {seq}")]
    Damaged { path: PathBuf, seq: u64 },
}

impl Error {
    /// Whether making the file again helps.
    pub(crate) const fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. })
    }
}

/// Where decision `index`, counted from 0, stands in the log, and what the tree has of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Leaf {
    pub(crate) offset: u64,
    pub(crate) hash: Hash,
}

/// Reads a tree that somebody may be appending to: what was written once never changes.
#[derive(Debug)]
pub(crate) struct TreeReader {
    file: File,
    path: PathBuf,
}

impl TreeReader {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::File { path: path.to_path_buf(), source };
        Ok(Self { file: File::open(path).map_err(failed)?, path: path.to_path_buf() })
    }

    /// The leaf of decision `index`, counted from 0.
    pub(crate) fn leaf(&self, index: u64) -> Result<Leaf, Error> {
        let group = self.group(index)?;
        let (offset, hashes) = group.split_first_chunk::<OFFSET_BYTES>().ok_or(self.damaged(index))?;
        Ok(Leaf { offset: u64::from_le_bytes(*offset), hash: self.hash_at(index, hashes, 0)? })
    }

    /// The bytes of a group in front of its checksum, which is right.
    fn group(&self, index: u64) -> Result<Vec<u8>, Error> {
        let mut bytes = vec![0; group_bytes(index)];
        self.file.read_exact_at(&mut bytes, begin_of(index)).map_err(|source| match source.kind() {
            io::ErrorKind::UnexpectedEof => self.damaged(index),
            _ => self.failed(source),
        })?;
        let checksum = bytes.split_off(bytes.len() - CHECKSUM_BYTES);
        if checksum == checksum_of(index, &bytes) { Ok(bytes) } else { Err(self.damaged(index)) }
    }

    fn hash_at(&self, index: u64, hashes: &[u8], level: usize) -> Result<Hash, Error> {
        let bytes = hashes.get(level * HASH_BYTES..).and_then(|rest| rest.first_chunk());
        bytes.copied().map(Hash).ok_or(self.damaged(index))
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::File { path: self.path.clone(), source }
    }

    fn damaged(&self, index: u64) -> Error {
        Error::Damaged { path: self.path.clone(), seq: index.saturating_add(1) }
    }
}

impl Subtrees for TreeReader {
    type Error = Error;

    fn subtree(&self, level: u32, index: u64) -> Result<Hash, Error> {
        // The last leaf of a subtree is the one that completes it.
        let last = ((index + 1) << level) - 1;
        let group = self.group(last)?;
        self.hash_at(last, &group[OFFSET_BYTES..], usize::try_from(level).unwrap_or(usize::MAX))
    }
}

/// The tree that is being made. There is one for each file.
#[derive(Debug)]
pub(crate) struct Tree {
    reader: TreeReader,
    frontier: Frontier,
}

impl Tree {
    /// Opens the file, and makes it if it is not there. Of what it holds the first `size_max` decisions are kept, or fewer
    /// if it has fewer; none if it is not whole up to there.
    pub(crate) fn open(path: &Path, size_max: u64) -> Result<Self, Error> {
        let failed = |source| Error::File { path: path.to_path_buf(), source };
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let file = options.map_err(failed)?;
        let reader = TreeReader { file, path: path.to_path_buf() };
        let mut magic = [0; MAGIC.len()];
        let is_ours = reader.file.read_exact_at(&mut magic, 0).is_ok() && magic == MAGIC;
        let bytes = reader.file.metadata().map_err(failed)?.len();
        let size = if is_ours { groups_in(bytes).min(size_max) } else { 0 };
        let frontier = match Frontier::load(size, &reader) {
            Ok(frontier) => frontier,
            Err(Error::Damaged { .. }) => Frontier::default(),
            Err(error) => return Err(error),
        };
        let mut tree = Self { reader, frontier };
        if tree.frontier.size() == 0 {
            tree.clear()?;
        } else {
            tree.cut()?;
        }
        Ok(tree)
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) -> Result<(), Error> {
        self.frontier = Frontier::default();
        self.reader.file.write_all_at(&MAGIC, 0).map_err(|error| self.reader.failed(error))?;
        self.cut()
    }

    /// Cuts off what is behind the last leaf.
    fn cut(&self) -> Result<(), Error> {
        self.reader.file.set_len(begin_of(self.size())).map_err(|error| self.reader.failed(error))
    }

    pub(crate) const fn size(&self) -> u64 {
        self.frontier.size()
    }

    pub(crate) fn root(&self) -> Hash {
        self.frontier.root()
    }

    pub(crate) const fn reader(&self) -> &TreeReader {
        &self.reader
    }

    /// The leaf of the last decision.
    pub(crate) fn last(&self) -> Result<Option<Leaf>, Error> {
        self.size().checked_sub(1).map(|index| self.reader.leaf(index)).transpose()
    }

    /// Adds decisions, each with its offset in the log and its chain hash. All of them or, after an error, none.
    pub(crate) fn append(&mut self, decisions: &[(u64, Hash)]) -> Result<(), Error> {
        let mut frontier = self.frontier.clone();
        let mut bytes = Vec::new();
        for (offset, chain_hash) in decisions {
            let (index, begin) = (frontier.size(), bytes.len());
            bytes.extend_from_slice(&offset.to_le_bytes());
            frontier.append(leaf_hash(chain_hash), |hash| bytes.extend_from_slice(&hash.0));
            let checksum = checksum_of(index, &bytes[begin..]);
            bytes.extend_from_slice(&checksum);
        }
        let at = begin_of(self.size());
        self.reader.file.write_all_at(&bytes, at).map_err(|error| self.reader.failed(error))?;
        self.frontier = frontier;
        Ok(())
    }

    /// Makes everything that was added durable.
    pub(crate) fn sync(&self) -> Result<(), Error> {
        self.reader.file.sync_all().map_err(|error| self.reader.failed(error))
    }
}

/// Where group `index` begins, which is also how long the file is with so many groups.
fn begin_of(index: u64) -> u64 {
    let hashes = 2 * index - u64::from(index.count_ones());
    MAGIC.len() as u64 + (OFFSET_BYTES + CHECKSUM_BYTES) as u64 * index + HASH_BYTES as u64 * hashes
}

fn group_bytes(index: u64) -> usize {
    OFFSET_BYTES + HASH_BYTES * (index.trailing_ones() as usize + 1) + CHECKSUM_BYTES
}

/// How many whole groups a file of this length has.
fn groups_in(bytes: u64) -> u64 {
    let (mut fits, mut too_many) = (0, SIZE_MAX);
    while too_many - fits > 1 {
        let middle = u64::midpoint(fits, too_many);
        if begin_of(middle) <= bytes { fits = middle } else { too_many = middle }
    }
    fits
}

fn checksum_of(index: u64, bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&index.to_le_bytes());
    hasher.update(bytes);
    hasher.finalize().to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use stockledger_chain::merkle::{inclusion, verify_inclusion};

    fn decisions(from: u64, to: u64) -> Vec<(u64, Hash)> {
        (from..to).map(|index| (index + 2, Hash::of(&[&index.to_le_bytes()]))).collect()
    }

    fn full(path: &Path, size: u64) -> Tree {
        let mut tree = Tree::open(path, 0).unwrap();
        tree.append(&decisions(0, size / 2)).unwrap();
        tree.append(&decisions(size / 2, size)).unwrap();
        tree
    }

    #[test]
    fn groups_stand_one_behind_the_other() {
        for index in 0..1_000 {
            assert_eq!(begin_of(index) + group_bytes(index) as u64, begin_of(index + 1));
            assert_eq!(groups_in(begin_of(index)), index);
            assert_eq!(groups_in(begin_of(index + 1) - 1), index);
        }
        assert_eq!(groups_in(0), 0);
    }

    #[test]
    fn a_tree_is_opened_as_it_was_left() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tree");
        let (size, root) = (777, full(&path, 777).root());
        let tree = Tree::open(&path, u64::MAX).unwrap();
        assert_eq!((tree.size(), tree.root()), (size, root));
        assert_eq!(tree.last().unwrap().unwrap().offset, 778);
        let reader = TreeReader::open(&path).unwrap();
        for index in 0..size {
            let leaf = reader.leaf(index).unwrap();
            assert_eq!(leaf.offset, index + 2);
            let proof = inclusion(&reader, index, size).unwrap().unwrap();
            assert!(verify_inclusion(&leaf.hash, index, size, &proof, &root));
        }
    }

    #[test]
    fn what_is_torn_or_beyond_what_is_wanted_is_cut_off() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tree");
        let root_of_20 = full(&path, 20).root();
        full(&path, 33);
        let length = std::fs::metadata(&path).unwrap().len();
        for cut in [1, 5, 40, 200] {
            full(&path, 33);
            OpenOptions::new().write(true).open(&path).unwrap().set_len(length - cut).unwrap();
            let tree = Tree::open(&path, u64::MAX).unwrap();
            assert!((30..33).contains(&tree.size()), "{cut}");
            assert_eq!(std::fs::metadata(&path).unwrap().len(), begin_of(tree.size()));
        }
        full(&path, 33);
        let mut tree = Tree::open(&path, 20).unwrap();
        assert_eq!((tree.size(), tree.root()), (20, root_of_20));
        tree.append(&decisions(20, 33)).unwrap();
        let again = directory.path().join("again");
        assert_eq!(tree.root(), full(&again, 33).root());
    }

    #[test]
    fn every_changed_byte_is_found_when_it_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tree");
        full(&path, 9);
        let sound = std::fs::read(&path).unwrap();
        for at in MAGIC.len()..sound.len() {
            let mut changed = sound.clone();
            changed[at] ^= 1;
            std::fs::write(&path, &changed).unwrap();
            let reader = TreeReader::open(&path).unwrap();
            let damaged = (0..9).filter(|index| reader.leaf(*index).is_err_and(|error| error.is_damage()));
            assert_eq!(damaged.count(), 1, "byte {at}");
        }
    }

    #[test]
    fn a_file_of_something_else_is_begun_anew() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tree");
        for content in [&b""[..], b"SLT", &[0; 500]] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(Tree::open(&path, u64::MAX).unwrap().size(), 0);
            assert_eq!(std::fs::read(&path).unwrap(), MAGIC);
        }
    }
}
