//! The Merkle tree of RFC 9162, section 2.1, over the hashes of records.

use super::chain::{Hash, digest};

fn leaf(hash: &Hash) -> Hash {
    digest(&[&[0], hash])
}

fn node(left: &Hash, right: &Hash) -> Hash {
    digest(&[&[1], left, right])
}

/// A tree that grows at its end, in as much memory as it is high.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// Whole subtrees from the left, each with the number of its leaves, which halve at least.
    whole: Vec<(u64, Hash)>,
    size: u64,
}

impl Tree {
    pub fn push(&mut self, hash: &Hash) {
        let (mut count, mut top) = (1, leaf(hash));
        while let Some(&(other, left)) = self.whole.last()
            && other == count
        {
            self.whole.pop();
            (count, top) = (count * 2, node(&left, &top));
        }
        self.whole.push((count, top));
        self.size += 1;
    }

    pub fn len(&self) -> u64 {
        self.size
    }

    pub fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// The root; of no leaves, the digest of nothing.
    pub fn root(&self) -> Hash {
        let mut subtrees = self.whole.iter().rev().map(|(_, hash)| *hash);
        let Some(last) = subtrees.next() else { return digest(&[]) };
        subtrees.fold(last, |right, left| node(&left, &right))
    }
}

pub fn root(hashes: &[Hash]) -> Hash {
    let mut tree = Tree::default();
    hashes.iter().for_each(|hash| tree.push(hash));
    tree.root()
}

/// What shows that the leaf `index` is among `hashes`, from the leaf upwards; `None` where there is no such leaf.
pub fn proof(hashes: &[Hash], index: usize) -> Option<Vec<Hash>> {
    if index >= hashes.len() {
        return None;
    }
    if hashes.len() == 1 {
        return Some(Vec::new());
    }
    let (left, right) = hashes.split_at(half(hashes.len()));
    let (mut path, other) = if index < left.len() {
        (proof(left, index)?, root(right))
    } else {
        (proof(right, index - left.len())?, root(left))
    };
    path.push(other);
    Some(path)
}

/// The root that a proof leads to, from a leaf in its place among so many; `None` where no such proof is.
pub fn root_from(hash: &Hash, index: usize, size: usize, path: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    if size == 1 {
        return path.is_empty().then(|| leaf(hash));
    }
    let (top, below) = path.split_last()?;
    let left = half(size);
    if index < left {
        Some(node(&root_from(hash, index, left, below)?, top))
    } else {
        Some(node(top, &root_from(hash, index - left, size - left, below)?))
    }
}

/// The largest power of two that is less than `size`, which is two at least.
fn half(size: usize) -> usize {
    size.next_power_of_two() / 2
}
