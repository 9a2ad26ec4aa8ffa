//! The chain that this end sends in (docs/spec/ratchet.md §4).

use std::collections::BTreeMap;

use poterne_protocol::kem::{KemCiphertext, KemPublic, KemSecret};

use super::header::Header;
use super::{Ahead, Mark};
use crate::body::PartMark;
use crate::chain::ChainKey;
use crate::secret::Secret;

#[derive(Clone)]
pub(super) struct Sending {
    pub(super) index: u32,
    pub(super) chain: ChainKey,
    /// The number of the next message.
    pub(super) next: u32,
    /// None in chain 0, whose header key is the answer's and whose mailbox is the answer box.
    pub(super) keys: Option<(Secret, Secret)>,
    /// dk_i, until the peer's next chain was opened with it.
    pub(super) secret: Option<KemSecret>,
    pub(super) ek: KemPublic,
    pub(super) ct: KemCiphertext,
    pub(super) previous: u32,
    pub(super) sent: BTreeMap<u32, Mark>,
}

crate::secret::silent!(Sending);

impl Sending {
    /// Chain 0.
    pub(super) fn answer(chain: ChainKey, secret: &KemSecret, ek: KemPublic, ct: KemCiphertext) -> Self {
        Self {
            index: 0,
            chain,
            next: 0,
            keys: None,
            secret: Some(secret.clone()),
            ek,
            ct,
            previous: 0,
            sent: BTreeMap::new(),
        }
    }

    /// The chain that was ahead.
    pub(super) fn begin(
        ahead: &Ahead,
        chain: ChainKey,
        secret: &KemSecret,
        ct: KemCiphertext,
        previous: u32,
    ) -> Self {
        Self {
            index: ahead.chain,
            keys: Some((ahead.header.clone(), ahead.mailbox.clone())),
            previous,
            ..Self::answer(chain, secret, secret.public(), ct)
        }
    }

    /// The header of the next message.
    pub(super) fn header(&self, kind: u8, mark: PartMark) -> Header {
        Header { kind, mark, previous: self.previous, n: self.next, ek: self.ek.clone(), ct: self.ct.clone() }
    }

    /// Leaves `count` numbers out; a newer copy of this state may have used them.
    pub(super) fn jump(&mut self, count: u32) {
        for _ in 0..count {
            self.chain.step();
        }
        self.next += count;
    }
}
