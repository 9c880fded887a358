//! Trees and proofs against a naive reading of RFC 6962, its known roots, and forgers.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::convert::Infallible;

use stockledger_chain::merkle::{
    Frontier, Subtrees, consistency, empty_root, inclusion, leaf_hash, verify_consistency, verify_inclusion,
};
use stockledger_schemas::Hash;

const SIZE_MAX: u64 = 130;

/// A tree in memory, filled as its frontier says.
#[derive(Default)]
struct Tree {
    frontier: Frontier,
    leaves: Vec<Hash>,
    subtrees: HashMap<(u32, u64), Hash>,
}

impl Tree {
    fn of(leaves: impl IntoIterator<Item = Hash>) -> Self {
        let mut tree = Self::default();
        for leaf in leaves {
            let index = tree.frontier.size();
            let mut level = 0;
            tree.frontier.append(leaf, |hash| {
                tree.subtrees.insert((level, index >> level), *hash);
                level += 1;
            });
            tree.leaves.push(leaf);
        }
        tree
    }

    fn of_size(size: u64) -> Self {
        Self::of((0..size).map(|index| leaf_hash(&Hash::of(&[&index.to_le_bytes()]))))
    }

    fn inclusion(&self, index: u64, size: u64) -> Option<Vec<Hash>> {
        let Ok(path) = inclusion(self, index, size);
        path
    }

    fn consistency(&self, from: u64, to: u64) -> Option<Vec<Hash>> {
        let Ok(proof) = consistency(self, from, to);
        proof
    }

    fn root(&self, size: u64) -> Hash {
        mth(&self.leaves[..usize::try_from(size).unwrap()])
    }
}

impl Subtrees for Tree {
    type Error = Infallible;

    fn subtree(&self, level: u32, index: u64) -> Result<Hash, Infallible> {
        Ok(self.subtrees[&(level, index)])
    }
}

fn split(leaves: &[Hash]) -> (&[Hash], &[Hash]) {
    let mut left = 1;
    while left * 2 < leaves.len() {
        left *= 2;
    }
    leaves.split_at(left)
}

fn node(left: &Hash, right: &Hash) -> Hash {
    Hash::of(&[&[1], &left.0, &right.0])
}

/// MTH of RFC 6962, 2.1, word for word, over hashes of leaves.
fn mth(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::of(&[]),
        [leaf] => *leaf,
        leaves => {
            let (left, right) = split(leaves);
            node(&mth(left), &mth(right))
        }
    }
}

/// PATH of RFC 6962, 2.1.1.
fn path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return vec![];
    }
    let (left, right) = split(leaves);
    if index < left.len() {
        [path(index, left), vec![mth(right)]].concat()
    } else {
        [path(index - left.len(), right), vec![mth(left)]].concat()
    }
}

/// SUBPROOF of RFC 6962, 2.1.2.
fn subproof(from: usize, leaves: &[Hash], is_whole: bool) -> Vec<Hash> {
    if from == leaves.len() {
        return if is_whole { vec![] } else { vec![mth(leaves)] };
    }
    let (left, right) = split(leaves);
    if from <= left.len() {
        [subproof(from, left, is_whole), vec![mth(right)]].concat()
    } else {
        [subproof(from - left.len(), right, false), vec![mth(left)]].concat()
    }
}

#[test]
fn roots_are_those_that_certificate_transparency_knows() {
    let inputs: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    let roots = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    for (size, root) in roots.iter().enumerate() {
        let leaves = inputs[..size].iter().map(|input| Hash::of(&[&[0], input]));
        assert_eq!(Tree::of(leaves).frontier.root().to_string(), *root, "size {size}");
    }
}

#[test]
fn a_leaf_is_the_hash_of_the_chain_hash_as_leaf_data() {
    let chain = Hash([7; 32]);
    assert_eq!(leaf_hash(&chain), Hash::of(&[&[0], &[7; 32]]));
}

#[test]
fn roots_and_proofs_are_those_of_the_naive_tree_at_every_size() {
    let tree = Tree::of_size(SIZE_MAX);
    for size in 0..=SIZE_MAX {
        let count = usize::try_from(size).unwrap();
        let leaves = &tree.leaves[..count];
        let Ok(frontier) = Frontier::load(size, &tree);
        assert_eq!(frontier, Tree::of_size(size).frontier, "loaded or grown, size {size}");
        assert_eq!(frontier.root(), mth(leaves), "size {size}");
        for index in 0..count {
            let proof = tree.inclusion(index as u64, size).unwrap();
            assert_eq!(proof, path(index, leaves), "leaf {index} of {size}");
            assert!(verify_inclusion(&leaves[index], index as u64, size, &proof, &frontier.root()));
        }
        for from in 0..=count {
            let proof = tree.consistency(from as u64, size).unwrap();
            let expected = if from == 0 { vec![] } else { subproof(from, leaves, true) };
            assert_eq!(proof, expected, "{from} in {size}");
            assert!(verify_consistency(from as u64, size, &mth(&leaves[..from]), &frontier.root(), &proof));
        }
        assert_eq!(tree.inclusion(size, size), None);
        assert_eq!(tree.consistency(size + 1, size), None);
    }
}

#[test]
fn an_empty_tree_is_a_beginning_of_every_tree_and_only_of_itself_by_its_root() {
    let root = Tree::of_size(3).frontier.root();
    assert!(verify_consistency(0, 3, &empty_root(), &root, &[]));
    assert!(verify_consistency(0, 0, &empty_root(), &empty_root(), &[]));
    assert!(!verify_consistency(0, 3, &root, &root, &[]));
    assert!(!verify_consistency(0, 3, &empty_root(), &root, &[root]));
    assert!(!verify_inclusion(&root, 0, 0, &[], &empty_root()));
}

/// Numbers that look random and are the same in every run (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }

    fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap()
    }

    /// Another number, near or far.
    fn other(&mut self, number: u64) -> u64 {
        match self.below(4) {
            0 => number + 1,
            1 if number > 0 => number - 1,
            2 => number ^ 1 << self.below(63),
            _ => number.wrapping_add(self.roll() | 1),
        }
    }

    fn flip(&mut self, hash: &mut Hash) {
        hash.0[self.index(32)] ^= 1 << self.below(8);
    }
}

/// Changes a proof in one way: a bit, its length or its order. Whether it did.
fn forge_hashes(dice: &mut Dice, proof: &mut Vec<Hash>) -> bool {
    match dice.below(6) {
        0 if !proof.is_empty() => {
            let at = dice.index(proof.len());
            dice.flip(&mut proof[at]);
        }
        1 if !proof.is_empty() => drop(proof.remove(dice.index(proof.len()))),
        2 => proof.insert(dice.index(proof.len() + 1), Hash::of(&[&dice.roll().to_le_bytes()])),
        3 if !proof.is_empty() => {
            let again = proof[dice.index(proof.len())];
            proof.insert(dice.index(proof.len() + 1), again);
        }
        4 if proof.len() > 1 => proof.reverse(),
        5 if !proof.is_empty() => proof.clear(),
        _ => return false,
    }
    true
}

#[test]
fn ten_thousand_forged_inclusion_proofs_are_rejected() {
    let tree = Tree::of_size(SIZE_MAX);
    let mut dice = Dice(1);
    let mut forged = 0;
    while forged < 10_000 {
        let size = 1 + dice.below(SIZE_MAX);
        let index = dice.below(size);
        let genuine = (
            tree.leaves[usize::try_from(index).unwrap()],
            index,
            size,
            tree.inclusion(index, size).unwrap(),
            tree.root(size),
        );
        let (mut leaf, mut index, mut size, mut proof, mut root) = genuine.clone();
        match dice.below(6) {
            0 => dice.flip(&mut leaf),
            1 => index = dice.other(index),
            2 => size = dice.other(size),
            3 => dice.flip(&mut root),
            _ => drop(forge_hashes(&mut dice, &mut proof)),
        }
        // A proof of the same leaf at the same place in a tree of another size may be the same, but the root is then another.
        if (leaf, index, size, proof.clone(), root) == genuine {
            continue;
        }
        forged += 1;
        let is_believed = verify_inclusion(&leaf, index, size, &proof, &root);
        // The path alone does not tell every size: the size is signed together with the root.
        let is_only_size = (leaf, index, &proof, root) == (genuine.0, genuine.1, &genuine.3, genuine.4);
        assert!(!is_believed || is_only_size, "{genuine:?} forged as {index} {size} {proof:?}");
    }
}

#[test]
fn ten_thousand_forged_consistency_proofs_are_rejected() {
    let tree = Tree::of_size(SIZE_MAX);
    let mut dice = Dice(2);
    let mut forged = 0;
    while forged < 10_000 {
        let to = 2 + dice.below(SIZE_MAX - 1);
        let from = 1 + dice.below(to - 1);
        let genuine = (from, to, tree.root(from), tree.root(to), tree.consistency(from, to).unwrap());
        let (mut from, mut to, mut old, mut new, mut proof) = genuine.clone();
        match dice.below(6) {
            0 => from = dice.other(from),
            1 => to = dice.other(to),
            2 => dice.flip(&mut old),
            3 => dice.flip(&mut new),
            _ => drop(forge_hashes(&mut dice, &mut proof)),
        }
        if (from, to, old, new, proof.clone()) == genuine {
            continue;
        }
        forged += 1;
        let is_believed = verify_consistency(from, to, &old, &new, &proof);
        let is_only_sizes = (old, new, &proof) == (genuine.2, genuine.3, &genuine.4);
        assert!(!is_believed || is_only_sizes, "{genuine:?} forged as {from} {to} {proof:?}");
    }
}
