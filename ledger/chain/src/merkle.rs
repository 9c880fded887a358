//! Merkle trees as in RFC 6962 and RFC 9162: one hash for any number of leaves, and short proofs about them.
//!
//! A leaf is the chain hash of a decision, so whoever recomputes a leaf recomputes the chain as well. Pure: where hashes of
//! a tree are kept is for [`Subtrees`] to say. Who makes a tree uses [`Frontier`] and gets [`inclusion`] and
//! [`consistency`] proofs; who checks one needs [`verify_inclusion`], [`verify_consistency`] and nothing else.
//!
//! ```text
//! level 2            x                   the hash of a complete subtree is kept under (level, index): it covers the
//! level 1       x         x              leaves index * 2^level .. (index + 1) * 2^level, and never changes
//! level 0     0   1     2   3     4      size 5: the frontier is (2, 0) and (0, 4)
//! ```

use stockledger_schemas::Hash;

/// Most hashes of a proof: no tree has more than 2^63 leaves, and a consistency proof has one hash more than levels.
pub const PROOF_HASHES_MAX: usize = 64;

/// A leaf of the tree: `SHA-256(0x00 || chain hash)`.
#[must_use]
pub fn leaf_hash(chain_hash: &Hash) -> Hash {
    Hash::of(&[&[0], &chain_hash.0])
}

fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Hash::of(&[&[1], &left.0, &right.0])
}

/// The root of the tree without leaves: the hash of nothing.
#[must_use]
pub fn empty_root() -> Hash {
    Hash::of(&[])
}

/// Where the hashes of complete subtrees are kept.
pub trait Subtrees {
    /// Why one cannot be had.
    type Error;

    /// The hash of the complete subtree over the leaves `index * 2^level .. (index + 1) * 2^level`.
    ///
    /// # Errors
    /// [`Subtrees::Error`].
    fn subtree(&self, level: u32, index: u64) -> Result<Hash, Self::Error>;
}

/// The complete subtrees at the right edge of a tree: all that is needed to add leaves to it, and its root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// One for each bit of `size`, the largest subtree first.
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The frontier of the first `size` leaves of a tree that is kept.
    ///
    /// # Errors
    /// That of the port.
    pub fn load<S: Subtrees>(size: u64, subtrees: &S) -> Result<Self, S::Error> {
        let levels = (0..u64::BITS).rev().filter(|level| size >> level & 1 == 1);
        // Left of the peak stand all larger ones: the bits of the size above its own.
        let peak = |level: u32| subtrees.subtree(level, (size >> level) - 1);
        Ok(Self { size, peaks: levels.map(peak).collect::<Result<_, _>>()? })
    }

    /// How many leaves there are.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf. `completed` is told the hash of each subtree that it completes, from the leaf upwards: one on each
    /// level from 0, as many as the new size can be halved and one more.
    pub fn append(&mut self, leaf: Hash, mut completed: impl FnMut(&Hash)) {
        completed(&leaf);
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = node_hash(&left, &hash);
                completed(&hash);
            }
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The root of the tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        let from_the_right = self.peaks.iter().rev().copied();
        from_the_right.reduce(|right, left| node_hash(&left, &right)).unwrap_or_else(empty_root)
    }
}

/// The root over the leaves from `begin` to `end`, of which there is at least one. `begin` is where the recursion of the
/// RFC begins a subtree, so a power of two leaves is a complete one.
fn range_root<S: Subtrees>(subtrees: &S, begin: u64, end: u64) -> Result<Hash, S::Error> {
    let size = end - begin;
    if size.is_power_of_two() {
        let level = size.trailing_zeros();
        return subtrees.subtree(level, begin >> level);
    }
    let middle = begin + left_size(size);
    Ok(node_hash(&range_root(subtrees, begin, middle)?, &range_root(subtrees, middle, end)?))
}

/// The largest power of two below `size`, which is at least 2.
const fn left_size(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// The hashes that lead from leaf `index` to the root of the first `size` leaves, the lowest first. The tree that is kept
/// has at least `size` leaves. Nothing if there is no such leaf.
///
/// # Errors
/// That of the port.
pub fn inclusion<S: Subtrees>(subtrees: &S, index: u64, size: u64) -> Result<Option<Vec<Hash>>, S::Error> {
    if index >= size {
        return Ok(None);
    }
    let mut path = Vec::new();
    let (mut begin, mut end) = (0, size);
    while end - begin > 1 {
        let middle = begin + left_size(end - begin);
        if index < middle {
            path.push(range_root(subtrees, middle, end)?);
            end = middle;
        } else {
            path.push(range_root(subtrees, begin, middle)?);
            begin = middle;
        }
    }
    path.reverse();
    Ok(Some(path))
}

/// The hashes that show that the first `from` leaves of a tree are those of the tree of `to` leaves, the lowest first.
/// Nothing needs to be shown between equal sizes and from an empty tree. Nothing at all if `from` is above `to`.
///
/// # Errors
/// That of the port.
pub fn consistency<S: Subtrees>(subtrees: &S, from: u64, to: u64) -> Result<Option<Vec<Hash>>, S::Error> {
    if from > to {
        return Ok(None);
    }
    let mut proof = Vec::new();
    if from == 0 || from == to {
        return Ok(Some(proof));
    }
    let (mut begin, mut end) = (0, to);
    // Whether the subtree that is left is one that the old tree had as a whole from its first leaf on: the old root itself.
    let mut is_old_root = true;
    while from != end {
        let middle = begin + left_size(end - begin);
        if from <= middle {
            proof.push(range_root(subtrees, middle, end)?);
            end = middle;
        } else {
            proof.push(range_root(subtrees, begin, middle)?);
            begin = middle;
            is_old_root = false;
        }
    }
    if !is_old_root {
        proof.push(range_root(subtrees, begin, end)?);
    }
    proof.reverse();
    Ok(Some(proof))
}

/// Whether `leaf` is leaf `index` of the tree of `size` leaves with this root, as `path` shows (RFC 9162, 2.1.3.2).
#[must_use]
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    // The number of the node on its level, and that of the last one there.
    let (mut node, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in path {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            climb_from_right(&mut node, &mut last);
        } else {
            hash = node_hash(&hash, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    last == 0 && hash == *root
}

/// Whether the tree of `from` leaves with the root `old` is a beginning of the tree of `to` leaves with the root `new`, as
/// `proof` shows (RFC 9162, 2.1.4.2).
#[must_use]
pub fn verify_consistency(from: u64, to: u64, old: &Hash, new: &Hash, proof: &[Hash]) -> bool {
    if from > to {
        return false;
    }
    if from == to {
        return proof.is_empty() && old == new;
    }
    if from == 0 {
        return proof.is_empty() && *old == empty_root();
    }
    // An old tree that is one complete subtree is not in the proof: its root is known.
    let (first, rest) = match proof.split_first() {
        _ if from.is_power_of_two() => (old, proof),
        Some((first, rest)) => (first, rest),
        None => return false,
    };
    let (mut node, mut last) = (from - 1, to - 1);
    let shared = node.trailing_ones();
    (node, last) = (node >> shared, last >> shared);
    let (mut old_hash, mut new_hash) = (*first, *first);
    for sibling in rest {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            climb_from_right(&mut node, &mut last);
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    last == 0 && old_hash == *old && new_hash == *new
}

/// A last node that stands on the left has no sibling: it goes up as it is, to the first level where it stands on the
/// right, whose sibling was just taken. `node` is not 0, for then it would be the root.
const fn climb_from_right(node: &mut u64, last: &mut u64) {
    let levels = node.trailing_zeros();
    (*node, *last) = (*node >> levels, *last >> levels);
}
