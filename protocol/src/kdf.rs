//! The one hash and the one key derivation of the protocol (docs/spec/wire.md §2).
//!
//! `H` is SHA-256 (FIPS 180-4). `KDF(salt, ikm, label, fields…)` is HKDF-SHA256 (RFC 5869) with
//! info = "poterne/1 " ‖ label ‖ 0 ‖ fields. Labels are named constants beside their use. A field of variable length is
//! preceded by its u16 length: the caller writes it with [`var`].

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// What every label and hash context of this protocol version begins with.
pub const CONTEXT: &[u8] = b"poterne/1 ";

/// SHA-256 of the parts, one after another.
pub fn hash(parts: &[&[u8]]) -> [u8; 32] {
    parts.iter().fold(Sha256::new(), |state, part| state.chain_update(part)).finalize().into()
}

/// The first 16 bytes of [`hash`].
pub fn hash16(parts: &[&[u8]]) -> [u8; 16] {
    hash(parts)[..16].try_into().expect("a SHA-256 hash has 32 bytes")
}

/// HMAC-SHA256 (RFC 2104) over the parts, one after another.
pub fn hmac(key: &[u8], parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    let mac = parts.iter().fold(mac, |state, part| state.chain_update(part));
    Zeroizing::new(mac.finalize().into_bytes().into())
}

/// `KDF(salt, ikm, label, fields…)` with an output of `N` bytes, at most 8,160.
///
/// An empty `salt` stands for the 32 zero bytes of the notation's "–" (RFC 5869 §2.2 treats both alike).
pub fn kdf<const N: usize>(salt: &[u8], ikm: &[u8], label: &str, fields: &[&[u8]]) -> Zeroizing<[u8; N]> {
    let mut info = vec![CONTEXT, label.as_bytes(), &[0]];
    info.extend_from_slice(fields);
    let mut output = Zeroizing::new([0; N]);
    Hkdf::<Sha256>::new(Some(salt), ikm)
        .expand_multi_info(&info, &mut output[..])
        .expect("an output of the protocol is shorter than 255 hashes");
    output
}

/// A field of variable length behind its u16 length, for [`hash`] and [`kdf`]. At most 65,535 bytes.
pub fn var(field: &[u8]) -> Vec<u8> {
    let length = u16::try_from(field.len()).expect("a variable field is at most 65,535 bytes long");
    [&length.to_le_bytes(), field].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_salt_is_32_zero_bytes() {
        let left: Zeroizing<[u8; 32]> = kdf(&[], b"ikm", "label", &[b"field"]);
        let right: Zeroizing<[u8; 32]> = kdf(&[0; 32], b"ikm", "label", &[b"field"]);
        assert_eq!(*left, *right);
    }

    #[test]
    fn the_info_names_protocol_and_label_and_then_the_fields() {
        let mut expected = [0u8; 32];
        Hkdf::<Sha256>::new(None, b"ikm").expand(b"poterne/1 label\0field", &mut expected).unwrap();
        assert_eq!(*kdf::<32>(&[], b"ikm", "label", &[b"fie", b"ld"]), expected);
    }
}
