//! X-Wing against the vectors of draft-connolly-cfrg-xwing-kem-10, appendix C, and against its definition (§5) composed
//! of another implementation of ML-KEM-768, SHAKE256 and SHA3-256.

use poterne_protocol::kdf;
use poterne_protocol::kem::{KemPublic, KemSecret};
use poterne_protocol::vectors::DangerFixedRandomness;
use proptest::prelude::*;
use x25519_dalek::{PublicKey, StaticSecret};

use crate::hexadecimal::{unhex, unhex_array};

/// One vector of the draft; long values by their SHA-256.
struct Known {
    seed: &'static str,
    randomness: &'static str,
    shared: &'static str,
    public_hash: &'static str,
    ciphertext_hash: &'static str,
}

const DRAFT: [Known; 3] = [
    Known {
        seed: "7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26",
        randomness: "3cb1eea988004b93103cfb0aeefd2a686e01fa4a58e8a3639ca8a1e3f9ae57e235b8cc873c23dc62b8d260169afa2f75ab916a58d974918835d25e6a435085b2",
        shared: "d2df0522128f09dd8e2c92b1e905c793d8f57a54c3da25861f10bf4ca613e384",
        public_hash: "2e816deebcd76c5c80d0cd2d174478871658e8e2ff42bc9d4a6e486372e856bb",
        ciphertext_hash: "17cd532d657e44c897ca6583e548a5424fc70bf54f99515a4d2bcf99e3469f33",
    },
    Known {
        seed: "badfd6dfaac359a5efbb7bcc4b59d538df9a04302e10c8bc1cbf1a0b3a5120ea",
        randomness: "17cda7cfad765f5623474d368ccca8af0007cd9f5e4c849f167a580b14aabdefaee7eef47cb0fca9767be1fda69419dfb927e9df07348b196691abaeb580b32d",
        shared: "f2e86241c64d60f6649fbc6c5b7d17180b780a3f34355e64a85749949c45f150",
        public_hash: "c42ba5f8430d7d2c83739338203819f090e8303ce9c8b02107c272bfa5376916",
        ciphertext_hash: "1661ea86d608a1924ba30840cb0a65f13ae051e3aec9cf0f064efc0bc92f2154",
    },
    Known {
        seed: "ef58538b8d23f87732ea63b02b4fa0f4873360e2841928cd60dd4cee8cc0d4c9",
        randomness: "22a96188d032675c8ac850933c7aff1533b94c834adbb69c6115bad4692d8619f90b0cdf8a7b9c264029ac185b70b83f2801f2f4b3f70c593ea3aeeb613a7f1b",
        shared: "953f7f4e8c5b5049bdc771d1dffada0dd961477d1a2ae0988baa7ea6898d893f",
        public_hash: "6b080d6b84f095342092fa7a22423e58bd681397ad0ef00eac92bd254db4fa95",
        ciphertext_hash: "d3ca5578500344b5896cffc4fd740c9311946b82951df155e6fd86a7966b43c6",
    },
];

#[test]
fn x_wing_agrees_with_the_draft() {
    for known in DRAFT {
        let secret = KemSecret::from_seed(&unhex_array(known.seed));
        let public = secret.public();
        assert_eq!(kdf::hash(&[public.as_bytes()]), unhex_array(known.public_hash));
        let (ciphertext, shared) =
            public.encapsulate(&mut DangerFixedRandomness::new(&unhex(known.randomness)));
        assert_eq!(kdf::hash(&[ciphertext.as_bytes()]), unhex_array(known.ciphertext_hash));
        assert_eq!(*shared, unhex_array(known.shared));
        assert_eq!(*secret.decapsulate(&ciphertext).unwrap(), unhex_array(known.shared));
    }
}

/// The definition: SHA3-256(ss_M ‖ ss_X ‖ ct_X ‖ pk_X ‖ label).
fn combine(ml_kem: &[u8; 32], x25519: &[u8; 32], ciphertext: &[u8; 32], public: &[u8; 32]) -> [u8; 32] {
    libcrux_sha3::sha256(&[&ml_kem[..], x25519, ciphertext, public, b"\\.//^\\"].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn x_wing_is_its_composition(seed in any::<[u8; 32]>(), randomness in any::<[u8; 64]>()) {
        let expanded: [u8; 96] = libcrux_sha3::shake256(&seed);
        let ml_kem = libcrux_ml_kem::mlkem768::generate_key_pair(expanded[..64].try_into().unwrap());
        let x25519 = StaticSecret::from(<[u8; 32]>::try_from(&expanded[64..]).unwrap());
        let x25519_public = PublicKey::from(&x25519);
        let secret = KemSecret::from_seed(&seed);
        let public = [&ml_kem.pk()[..], x25519_public.as_bytes()].concat();
        prop_assert_eq!(secret.public().as_bytes().to_vec(), public.clone());

        let (ml_kem_ciphertext, ml_kem_shared) =
            libcrux_ml_kem::mlkem768::encapsulate(ml_kem.public_key(), randomness[..32].try_into().unwrap());
        let ephemeral = StaticSecret::from(<[u8; 32]>::try_from(&randomness[32..]).unwrap());
        let ephemeral_public = PublicKey::from(&ephemeral);
        let x25519_shared = ephemeral.diffie_hellman(&x25519_public);
        let expected =
            combine(&ml_kem_shared, x25519_shared.as_bytes(), ephemeral_public.as_bytes(), x25519_public.as_bytes());

        let parsed = KemPublic::parse(public[..].try_into().unwrap()).unwrap();
        let (ciphertext, shared) = parsed.encapsulate(&mut DangerFixedRandomness::new(&randomness));
        let expected_ciphertext = [&ml_kem_ciphertext.as_slice()[..], ephemeral_public.as_bytes()].concat();
        prop_assert_eq!(&ciphertext.as_bytes()[..], &expected_ciphertext[..]);
        prop_assert_eq!(*shared, expected);
        prop_assert_eq!(*secret.decapsulate(&ciphertext).unwrap(), expected);
    }
}
