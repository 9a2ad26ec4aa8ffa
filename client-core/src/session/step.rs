//! The root step: what a fresh KEM secret does to the root (docs/spec/ratchet.md §3).

use poterne_protocol::kdf;
use poterne_protocol::kem::{KemCiphertext, KemPublic};

use crate::chain::ChainKey;
use crate::labels;
use crate::secret::Secret;

/// What a root step gives: the next root, the chain that begins, and header key and mailbox of the chain after it.
pub(crate) struct Step {
    pub(crate) root: Secret,
    pub(crate) chain: ChainKey,
    pub(crate) header: Secret,
    pub(crate) mailbox: Secret,
}

/// RK_i, CK_i, HK_{i+1}, MB_{i+1} = KDF(RK_{i−1}, ss_i, "root", H(ek_{i−1} ‖ ct_i ‖ ek_i)).
pub(crate) fn step(
    root: &Secret,
    shared: &[u8; 32],
    previous: &KemPublic,
    ct: &KemCiphertext,
    ek: &KemPublic,
) -> Step {
    let transcript = kdf::hash(&[previous.as_bytes(), ct.as_bytes(), ek.as_bytes()]);
    let output = kdf::kdf::<128>(root.expose(), shared, labels::ROOT, &[&transcript]);
    Step {
        root: nth(&output[..], 0),
        chain: ChainKey(nth(&output[..], 1)),
        header: nth(&output[..], 2),
        mailbox: nth(&output[..], 3),
    }
}

/// The n-th 32 bytes of a derivation's output.
pub(super) fn nth(output: &[u8], n: usize) -> Secret {
    Secret::from_bytes(output[32 * n..32 * (n + 1)].try_into().expect("32 bytes"))
}
