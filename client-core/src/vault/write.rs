//! Carrying out a planned commit (docs/spec/vault.md §6).
//!
//! Order of writes: values and leaves, middles, the other lock page (once after an opening), the root; then one sync.
//! The order gives no safety, because a disk may reorder it: safety comes from writing nothing that the older root
//! reaches, and from the proof at opening that the newest commit is whole.

use std::collections::BTreeMap;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::commit::{Bin, Plan};
use super::disk::{Disk, DiskError};
use super::index::{FANOUT, Index, Leaf, Node, Root, encode_child};
use super::page::{Kind, PAGE_BYTES, PAYLOAD_BYTES, PageKey, Place};
use super::record::{Content, Extent, encode_leaf};
use super::{State, Vault};

/// Pages that were written and are not yet in force.
#[derive(Default)]
struct Staged {
    leaves: BTreeMap<u16, Leaf>,
    middles: BTreeMap<u16, Node>,
    keys: Vec<(Vec<u8>, u16)>,
}

impl<D: Disk> Vault<D> {
    pub(super) fn carry_out(&mut self, mut plan: Plan, rng: &mut impl CryptoRng) -> Result<(), DiskError> {
        let mut staged = Staged::default();
        for (number, bin) in std::mem::take(&mut plan.bins) {
            self.write_leaf(number, bin, &mut staged, rng)?;
        }
        for middle in &plan.middles {
            self.write_middle(*middle, &plan, &mut staged, rng)?;
        }
        self.settle_lock(rng)?;
        self.write_root(&plan, &staged, rng)?;
        self.disk.sync()?;
        self.apply(plan, staged);
        Ok(())
    }

    fn write_leaf(
        &mut self,
        number: u16,
        mut bin: Bin,
        staged: &mut Staged,
        rng: &mut impl CryptoRng,
    ) -> Result<(), DiskError> {
        for record in &mut bin.records {
            if let Content::Unwritten(value) = &record.content {
                record.content = Content::Paged(self.write_value(value, rng)?);
            }
        }
        let node = self.write_node(Kind::Leaf, number, &encode_leaf(&bin.records), rng)?;
        staged.leaves.insert(number, Leaf { node, bytes: bin.bytes });
        staged.keys.extend(bin.records.into_iter().map(|record| (record.key, number)));
        Ok(())
    }

    fn write_value(&mut self, value: &[u8], rng: &mut impl CryptoRng) -> Result<Extent, DiskError> {
        let bytes = u32::try_from(value.len()).expect("a value has at most 256 KiB");
        let key = PageKey::generate(rng);
        let mut pages = Vec::new();
        for (part, bytes) in (0..).zip(value.chunks(PAYLOAD_BYTES)) {
            pages.push(self.write_page(&key, Kind::Value, part, bytes, rng)?);
        }
        Ok(Extent { bytes, born: self.index.root.generation + 1, key, pages })
    }

    fn write_middle(
        &mut self,
        number: u16,
        plan: &Plan,
        staged: &mut Staged,
        rng: &mut impl CryptoRng,
    ) -> Result<(), DiskError> {
        let mut children = 0;
        let mut payload = Zeroizing::new(Vec::with_capacity(PAYLOAD_BYTES));
        for leaf in number * FANOUT..(number + 1) * FANOUT {
            let old = self.index.leaves.get(&leaf).filter(|_| !plan.dirty.contains(&leaf));
            let child = staged.leaves.get(&leaf).or(old).map(|leaf| &leaf.node);
            children += usize::from(child.is_some());
            encode_child(&mut payload, child);
        }
        if children > 0 {
            let node = self.write_node(Kind::Middle, number, &payload, rng)?;
            staged.middles.insert(number, node);
        }
        Ok(())
    }

    fn write_root(
        &mut self,
        plan: &Plan,
        staged: &Staged,
        rng: &mut impl CryptoRng,
    ) -> Result<(), DiskError> {
        let generation = self.index.root.generation + 1;
        let mut payload = self.index.root.encode_head(generation);
        for middle in 0..FANOUT {
            let old = self.index.root.middles.get(&middle).filter(|_| !plan.middles.contains(&middle));
            encode_child(&mut payload, staged.middles.get(&middle).or(old));
        }
        let place = Place { kind: Kind::Root, page: Root::page(generation), part: 0 };
        let page = self.slot.seal(&self.slot_key, place, &payload, rng);
        self.disk.write_at(self.slot.offset(place.page), &page)
    }

    fn write_node(
        &mut self,
        kind: Kind,
        part: u16,
        payload: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Node, DiskError> {
        let key = PageKey::generate(rng);
        let page = self.write_page(&key, kind, part, payload, rng)?;
        Ok(Node { page, key })
    }

    fn write_page(
        &mut self,
        key: &PageKey,
        kind: Kind,
        part: u16,
        payload: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<u32, DiskError> {
        let page = self.index.free.pop_first().expect("the plan was checked against the free pages");
        let sealed = self.slot.seal(key, Place { kind, page, part }, payload, rng);
        self.disk.write_at(self.slot.offset(page), &sealed)?;
        Ok(page)
    }

    /// Once after an opening: whatever an interrupted change of the passphrase left in the other lock page goes.
    fn settle_lock(&mut self, rng: &mut impl CryptoRng) -> Result<(), DiskError> {
        if self.state == State::Opened {
            let other = self.lock.other();
            self.disk.write_at(self.slot.offset(other.copy), &random_page(rng))?;
        }
        Ok(())
    }

    fn apply(&mut self, plan: Plan, staged: Staged) {
        let Index { root, leaves, keys, free, .. } = &mut self.index;
        root.generation += 1;
        free.extend(plan.freed);
        free.extend(plan.dirty.iter().filter_map(|number| leaves.remove(number)).map(|leaf| leaf.node.page));
        free.extend(
            plan.middles.iter().filter_map(|number| root.middles.remove(number)).map(|node| node.page),
        );
        for key in &plan.deleted {
            keys.remove(key);
        }
        leaves.extend(staged.leaves);
        root.middles.extend(staged.middles);
        keys.extend(staged.keys);
        self.state = State::Settled;
    }
}

/// What an unused page looks like.
pub(super) fn random_page(rng: &mut impl CryptoRng) -> [u8; PAGE_BYTES] {
    let mut page = [0; PAGE_BYTES];
    rng.fill_bytes(&mut page);
    page
}
