//! The tree of pages under a root, and what of it stays in memory (docs/spec/vault.md §5).
//!
//! root -> up to 100 middles -> up to 100 leaves each -> values. Every page's key lies in the page above it, so the
//! root is the only way in: when a root page is overwritten, whatever only it could reach is gone for good.
//! In memory are keys and page keys, never values.
//!
//! Invariants: each page of the slot has at most one owner; `free` holds exactly those that the root does not reach;
//! middle m holds the leaves 100m … 100m+99.

use std::collections::{BTreeMap, BTreeSet};

use super::disk::Disk;
use super::page::{Kind, PAYLOAD_BYTES, PageKey, Payload, Place, Slot};
use super::record::{Content, Extent, Record, decode_leaf};
use super::{InstanceId, OnOpening, ReadError};

/// Pages 2 and 3 of a slot are the root in two copies: the one of generation g is page 2 + g mod 2.
pub(super) const ROOT_PAGE: u32 = 2;
/// The first page that belongs to the tree.
pub(super) const FIRST_TREE_PAGE: u32 = 4;
/// Children of a root and of a middle.
pub(super) const FANOUT: u16 = 100;
/// The most leaves of a slot.
pub(super) const LEAVES_MAX: u16 = FANOUT * FANOUT;

const VERSION: u8 = 1;
const CHILD_BYTES: usize = 36;
const ROOT_CHILDREN_AT: usize = 32;

/// A page of the tree: where it lies and what opens it.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) page: u32,
    pub(super) key: PageKey,
}

/// A leaf, and how full it is.
#[derive(Debug)]
pub(super) struct Leaf {
    pub(super) node: Node,
    pub(super) bytes: usize,
}

/// The newest state, or the one before.
#[derive(Debug)]
pub(super) struct Root {
    pub(super) generation: u64,
    pub(super) instance: InstanceId,
    pub(super) on_opening: OnOpening,
    pub(super) middles: BTreeMap<u16, Node>,
}

/// The tree without the values.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) root: Root,
    pub(super) leaves: BTreeMap<u16, Leaf>,
    pub(super) keys: BTreeMap<Vec<u8>, u16>,
    pub(super) free: BTreeSet<u32>,
    /// Index pages that could not be read; always empty unless they were asked to be tolerated.
    pub(super) lost: Vec<u32>,
}

/// What to do about an index page that doesn't open.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum OnDamage {
    Refuse,
    Skip,
}

impl Root {
    pub(super) fn page(generation: u64) -> u32 {
        ROOT_PAGE + u32::from(generation % 2 == 1)
    }

    /// The root in this copy, if one of this slot's key lies there.
    pub(super) fn read(
        disk: &impl Disk,
        slot: &Slot,
        key: &PageKey,
        copy: u32,
    ) -> Result<Option<Self>, ReadError> {
        let place = Place { kind: Kind::Root, page: ROOT_PAGE + copy, part: 0 };
        let payload = slot.open(disk, key, place)?;
        Ok(payload.and_then(|payload| Self::decode(&payload)))
    }

    /// The payload of the root of `generation` up to its children.
    pub(super) fn encode_head(&self, generation: u64) -> Payload {
        let mut out = Payload::new(Vec::with_capacity(PAYLOAD_BYTES));
        out.push(VERSION);
        out.extend(generation.to_le_bytes());
        out.extend(self.instance.0);
        out.push(self.on_opening.encode());
        out.resize(ROOT_CHILDREN_AT, 0);
        out
    }

    fn decode(payload: &[u8]) -> Option<Self> {
        if *payload.first()? != VERSION {
            return None;
        }
        let generation = u64::from_le_bytes(payload.get(1..9)?.try_into().ok()?);
        let instance = InstanceId(payload.get(9..25)?.try_into().ok()?);
        let on_opening = OnOpening::decode(*payload.get(25)?)?;
        let middles = decode_children(payload.get(ROOT_CHILDREN_AT..)?, 0)?;
        Some(Self { generation, instance, on_opening, middles })
    }
}

/// One of the 100 children of a root or a middle: page u32 (0 where there is none) and key 32.
pub(super) fn encode_child(out: &mut Vec<u8>, child: Option<&Node>) {
    match child {
        None => out.extend([0; CHILD_BYTES]),
        Some(node) => {
            out.extend(node.page.to_le_bytes());
            out.extend(node.key.expose());
        }
    }
}

pub(super) fn decode_children(bytes: &[u8], first: u16) -> Option<BTreeMap<u16, Node>> {
    let mut children = BTreeMap::new();
    let bytes = bytes.get(..usize::from(FANOUT) * CHILD_BYTES)?;
    for (number, child) in (first..).zip(bytes.chunks_exact(CHILD_BYTES)) {
        let page = u32::from_le_bytes(child[..4].try_into().ok()?);
        if page != 0 {
            children.insert(number, Node { page, key: PageKey::from_slice(&child[4..])? });
        }
    }
    Some(children)
}

impl Index {
    /// The tree of a root that has no middles, or whose middles are yet to be read.
    pub(super) fn empty(root: Root, slot: &Slot) -> Self {
        let free = (FIRST_TREE_PAGE..slot.pages).collect();
        Self { root, leaves: BTreeMap::new(), keys: BTreeMap::new(), free, lost: Vec::new() }
    }

    /// Reads the tree under a root, without values except those that the newest commit wrote: these prove that it
    /// reached the disk whole.
    pub(super) fn load(
        disk: &impl Disk,
        slot: &Slot,
        mut root: Root,
        on_damage: OnDamage,
    ) -> Result<Self, ReadError> {
        let middles = std::mem::take(&mut root.middles);
        let mut loader = Loader { disk, slot, on_damage, index: Self::empty(root, slot) };
        for (number, node) in middles {
            let loaded = loader.load_middle(number, node);
            loader.judge(loaded)?;
        }
        Ok(loader.index)
    }
}

struct Loader<'a, D> {
    disk: &'a D,
    slot: &'a Slot,
    on_damage: OnDamage,
    index: Index,
}

impl<D: Disk> Loader<'_, D> {
    fn load_middle(&mut self, number: u16, node: Node) -> Result<(), ReadError> {
        let damaged = ReadError::Damaged { page: node.page };
        take(&mut self.index.free, node.page)?;
        let place = Place { kind: Kind::Middle, page: node.page, part: number };
        let payload = self.slot.open(self.disk, &node.key, place)?.ok_or(damaged)?;
        for (number, node) in decode_children(&payload, number * FANOUT).ok_or(damaged)? {
            let loaded = self.load_leaf(number, node);
            self.judge(loaded)?;
        }
        self.index.root.middles.insert(number, node);
        Ok(())
    }

    fn load_leaf(&mut self, number: u16, node: Node) -> Result<(), ReadError> {
        take(&mut self.index.free, node.page)?;
        let records = read_leaf(self.disk, self.slot, number, &node)?;
        for record in &records {
            self.load_record(number, node.page, record)?;
        }
        let bytes = records.iter().map(Record::leaf_bytes).sum();
        self.index.leaves.insert(number, Leaf { node, bytes });
        Ok(())
    }

    fn load_record(&mut self, leaf: u16, leaf_page: u32, record: &Record) -> Result<(), ReadError> {
        let damaged = ReadError::Damaged { page: leaf_page };
        for page in record.pages() {
            take(&mut self.index.free, *page).map_err(|_| damaged)?;
        }
        match &record.content {
            Content::Paged(extent) if extent.born == self.index.root.generation => self.prove(extent)?,
            _ => {}
        }
        match self.index.keys.insert(record.key.clone(), leaf) {
            None => Ok(()),
            Some(_) => Err(damaged),
        }
    }

    fn prove(&self, extent: &Extent) -> Result<(), ReadError> {
        match self.on_damage {
            OnDamage::Refuse => read_extent(self.disk, self.slot, extent).map(drop),
            OnDamage::Skip => Ok(()),
        }
    }

    fn judge(&mut self, loaded: Result<(), ReadError>) -> Result<(), ReadError> {
        match loaded {
            Err(ReadError::Damaged { page }) if self.on_damage == OnDamage::Skip => {
                self.index.lost.push(page);
                Ok(())
            }
            other => other,
        }
    }
}

/// Takes a page out of the free ones; a page that is not there has two owners or lies outside the slot.
fn take(free: &mut BTreeSet<u32>, page: u32) -> Result<(), ReadError> {
    if free.remove(&page) { Ok(()) } else { Err(ReadError::Damaged { page }) }
}

/// The records of one leaf.
pub(super) fn read_leaf(
    disk: &impl Disk,
    slot: &Slot,
    number: u16,
    node: &Node,
) -> Result<Vec<Record>, ReadError> {
    let damaged = ReadError::Damaged { page: node.page };
    let place = Place { kind: Kind::Leaf, page: node.page, part: number };
    let payload = slot.open(disk, &node.key, place)?.ok_or(damaged)?;
    decode_leaf(&payload).ok_or(damaged)
}

/// A value that lies in pages of its own.
pub(super) fn read_extent(disk: &impl Disk, slot: &Slot, extent: &Extent) -> Result<Payload, ReadError> {
    let mut value = Payload::new(Vec::with_capacity(extent.pages.len() * PAYLOAD_BYTES));
    for (part, page) in (0..).zip(&extent.pages) {
        let place = Place { kind: Kind::Value, page: *page, part };
        let payload = slot.open(disk, &extent.key, place)?.ok_or(ReadError::Damaged { page: *page })?;
        value.extend(payload.iter());
    }
    value.truncate(extent.bytes as usize);
    Ok(value)
}
