//! HPKE (RFC 9180) in our suite against the vector of draft-ietf-hpke-pq for KEM 0x647A, KDF 0x0001, AEAD 0x0003, and
//! against the key schedule of RFC 9180 §5.1 written out over another X-Wing.

use hkdf::Hkdf;
use poterne_protocol::hpke::{setup_receiver, setup_sender};
use poterne_protocol::kem::KemSecret;
use poterne_protocol::vectors::DangerFixedRandomness;
use sha2::Sha256;

use crate::hexadecimal::{unhex, unhex_array};

/// The draft's info and texts are hexadecimal digits of these, as bytes.
const INFO: &str = "34663634363532303666366532303631323034373732363536333639363136653230353537323665";
const TEXT: &str = "34323635363137353734373932303639373332303734373237353734363832633230373437323735373436383230363236353631373537343739";
const RANDOMNESS: &str = "2a1c0a3745fe8a48fb62034d300f54dfe1974a5b2e169e580a8789cb1cf5fd190fc00f3fd899594e01a8b15334b9f3fa03d8de44da86e19f5776850fb689e6c8";
const SECRET: &str = "3ec47fa82dd5689d27c6190e724c74ec8f608df3331ce331929e37b829676630";
const SHARED: &str = "58200ed1f137bd95a921bb47f6aaecf2395b26f7fd24efd3a5ffae4849e8dea3";
/// Of the texts number 0 and 1, sealed with "Count-0" and "Count-1" as associated data.
const SEALED: [&str; 2] = [
    "c5c591f99092d5e38df0a52699af249c66f8275a863423c076de8147a53e65cc584041c963b77a7e59ea93841b1339b5efda8909b71f74bb0073ad62e899de310c1566dea2fd29eba377",
    "ce339b2b956509cf9a9d3d736e8529f4eb87f27483e0c647869bd1d32c6c95ab3ff3f151abb11f863e5ea7cb852dc0c92346b46ac340ab390f8d3b6bd85d5d2d11c77499e006e36e3699",
];
/// For the contexts "pseudorandom0" and "pseudorandom1".
const EXPORTED: [&str; 2] = [
    "5a78d37f40e078c17ef43fa40963f1ff7dcdee56e366da9099dc181c3eccaee5",
    "19b8f5e1d7c02e44ad99d8332124b5c71fa9e81c5327ca485054f859e442bde5",
];

#[test]
fn hpke_agrees_with_the_draft() {
    let secret = KemSecret::from_seed(&unhex_array(SECRET));
    let (encapsulation, mut sender) =
        setup_sender(&secret.public(), &unhex(INFO), &mut DangerFixedRandomness::new(&unhex(RANDOMNESS)));
    assert_eq!(*secret.decapsulate(&encapsulation).unwrap(), unhex_array(SHARED));
    let mut receiver = setup_receiver(&secret, &encapsulation, &unhex(INFO)).unwrap();
    for (index, sealed) in SEALED.iter().enumerate() {
        let aad = format!("Count-{index}");
        assert_eq!(sender.seal(&unhex(TEXT), aad.as_bytes()), unhex(sealed));
        assert_eq!(*receiver.open(&unhex(sealed), aad.as_bytes()).unwrap(), unhex(TEXT));
    }
    for (index, exported) in EXPORTED.iter().enumerate() {
        let context = format!("pseudorandom{index}");
        assert_eq!(*sender.export::<32>(context.as_bytes()), unhex_array(exported));
        assert_eq!(*receiver.export::<32>(context.as_bytes()), unhex_array(exported));
    }
}

const SUITE_ID: &[u8] = b"HPKE\x64\x7a\x00\x01\x00\x03";

/// RFC 9180 §4: Extract(salt, "HPKE-v1" ‖ suite id ‖ label ‖ ikm).
fn labeled_extract(salt: &[u8], label: &[u8], ikm: &[u8]) -> [u8; 32] {
    let labeled = [b"HPKE-v1", SUITE_ID, label, ikm].concat();
    Hkdf::<Sha256>::extract(Some(salt), &labeled).0.into()
}

/// RFC 9180 §4: Expand(prk, I2OSP(L, 2) ‖ "HPKE-v1" ‖ suite id ‖ label ‖ info).
fn labeled_expand(prk: &[u8; 32], label: &[u8], info: &[u8]) -> [u8; 32] {
    let labeled = [&[0, 32], &b"HPKE-v1"[..], SUITE_ID, label, info].concat();
    let mut output = [0; 32];
    Hkdf::<Sha256>::from_prk(prk).unwrap().expand(&labeled, &mut output).unwrap();
    output
}

#[test]
fn exports_follow_the_key_schedule_of_rfc_9180() {
    let secret = KemSecret::from_seed(&[7; 32]);
    let (encapsulation, sender) =
        setup_sender(&secret.public(), b"info", &mut DangerFixedRandomness::new(&[9; 64]));
    let shared = secret.decapsulate(&encapsulation).unwrap();
    let psk_id_hash = labeled_extract(&[], b"psk_id_hash", &[]);
    let info_hash = labeled_extract(&[], b"info_hash", b"info");
    let context = [&[0][..], &psk_id_hash, &info_hash].concat();
    let schedule = labeled_extract(&shared[..], b"secret", &[]);
    let exporter_secret = labeled_expand(&schedule, b"exp", &context);
    assert_eq!(*sender.export::<32>(b"context"), labeled_expand(&exporter_secret, b"sec", b"context"));
}
