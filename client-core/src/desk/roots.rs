//! Root sets: k of n Ed25519 keys that stand above a desk (docs/spec/notice.md §2).
//!
//! The hash of the first set is the desk's id for ever. Each later set is signed by the threshold of the one before it
//! and by its own. Invariant: 1 ≤ k ≤ n ≤ 16, and no key stands twice in a set.

use poterne_protocol::codec::{DecodeError, Reader, Writer};
use poterne_protocol::desk::DeskId;
use poterne_protocol::kdf;

use crate::labels;
use crate::sign::{SIGNATURE_BYTES, SignPublic, SignSecret};

/// Root keys in one set at most: what fits into a notice head beside its relays.
pub const ROOT_KEYS_MAX: usize = 16;

/// The roots of a desk at one time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RootSet {
    /// Rising by one from set to set; the first is 1.
    pub version: u16,
    /// How many keys must sign.
    pub threshold: u8,
    /// The keys, in an order that is theirs for the life of the set.
    pub keys: Vec<SignPublic>,
}

impl RootSet {
    /// A first root set. None where the threshold or the keys make no set.
    pub fn first(threshold: u8, keys: Vec<SignPublic>) -> Option<Self> {
        let set = Self { version: 1, threshold, keys };
        set.is_sound().then_some(set)
    }

    /// H(this set); of a first set this is the desk's id.
    pub fn hash(&self) -> [u8; 32] {
        kdf::hash(&[&self.encode()])
    }

    /// The id of the desk whose first set this is.
    pub fn desk_id(&self) -> DeskId {
        DeskId(self.hash())
    }

    /// {version u16, k u8, n u8, n × Ed25519 32}.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        self.write(&mut writer);
        writer.into_vec()
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        let count = u8::try_from(self.keys.len()).expect("a root set has at most 16 keys");
        writer.u16(self.version).u8(self.threshold).u8(count);
        for key in &self.keys {
            writer.put(&key.0);
        }
    }

    pub(crate) fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        let (version, threshold, count) = (reader.u16()?, reader.u8()?, usize::from(reader.u8()?));
        if count > ROOT_KEYS_MAX {
            return Err(DecodeError::Invalid { field: "root keys" });
        }
        let keys = (0..count).map(|_| reader.array().map(SignPublic)).collect::<Result<_, _>>()?;
        let set = Self { version, threshold, keys };
        if set.is_sound() { Ok(set) } else { Err(DecodeError::Invalid { field: "root set" }) }
    }

    fn is_sound(&self) -> bool {
        let mut sorted = self.keys.clone();
        sorted.sort_unstable();
        sorted.dedup();
        (1..=ROOT_KEYS_MAX).contains(&self.keys.len())
            && sorted.len() == self.keys.len()
            && (1..=self.keys.len()).contains(&usize::from(self.threshold))
            && self.version > 0
    }

    /// Whether the threshold of this set signed context ‖ parts.
    pub(crate) fn verifies(&self, context: &[u8], parts: &[&[u8]], signatures: &Signatures) -> bool {
        let valid = signatures.0.iter().filter(|(index, signature)| {
            self.keys.get(usize::from(*index)).is_some_and(|key| key.verifies(context, parts, signature))
        });
        valid.count() >= usize::from(self.threshold)
    }

    /// A root's signature that lets `next` follow this set.
    pub fn sign_next(&self, root: &SignSecret, next: &Self, desk: &DeskId) -> [u8; SIGNATURE_BYTES] {
        root.sign(labels::ROOT_SET_SIGNATURE, &[&desk.0, &self.hash(), &next.encode()])
    }
}

/// A root set and what lets it follow the one before it: a link of the root chain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RootLink {
    /// The set that follows.
    pub next: RootSet,
    /// By the threshold of the set before.
    pub by_old: Signatures,
    /// By its own threshold.
    pub by_new: Signatures,
}

impl RootLink {
    /// Whether this link leads on from `old`: one version higher, signed by both thresholds.
    pub fn follows(&self, old: &RootSet, desk: &DeskId) -> bool {
        let (hash, next) = (old.hash(), self.next.encode());
        let parts: [&[u8]; 3] = [&desk.0, &hash, &next];
        old.version.checked_add(1) == Some(self.next.version)
            && old.verifies(labels::ROOT_SET_SIGNATURE, &parts, &self.by_old)
            && self.next.verifies(labels::ROOT_SET_SIGNATURE, &parts, &self.by_new)
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        self.next.write(writer);
        self.by_old.write(writer);
        self.by_new.write(writer);
    }

    pub(crate) fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        Ok(Self {
            next: RootSet::read(reader)?,
            by_old: Signatures::read(reader)?,
            by_new: Signatures::read(reader)?,
        })
    }
}

/// Signatures by members of a root set, each with the place of its key in the set; places rise.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Signatures(Vec<(u8, [u8; SIGNATURE_BYTES])>);

crate::secret::silent!(Signatures);

impl Signatures {
    /// Adds the signature of the key at `place`, instead of an earlier one of that key.
    pub fn add(&mut self, place: u8, signature: [u8; SIGNATURE_BYTES]) {
        self.0.retain(|(other, _)| *other != place);
        self.0.push((place, signature));
        self.0.sort_unstable_by_key(|(place, _)| *place);
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.u8(u8::try_from(self.0.len()).expect("a root set has at most 16 keys"));
        for (place, signature) in &self.0 {
            writer.u8(*place).put(signature);
        }
    }

    pub(crate) fn read(reader: &mut Reader) -> Result<Self, DecodeError> {
        let count = usize::from(reader.u8()?);
        if count > ROOT_KEYS_MAX {
            return Err(DecodeError::Invalid { field: "signatures" });
        }
        let signatures = (0..count)
            .map(|_| Ok((reader.u8()?, reader.array()?)))
            .collect::<Result<Vec<_>, DecodeError>>()?;
        if signatures.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
            return Err(DecodeError::Invalid { field: "signatures" });
        }
        Ok(Self(signatures))
    }
}
