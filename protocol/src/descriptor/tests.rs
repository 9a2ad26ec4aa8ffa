//! A descriptor with its bytes written out, and what is not believed.

use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use super::*;
use crate::kem::KemSecret;

fn identity() -> RelayIdentity {
    RelayIdentity::from_seed(&[1; 32])
}

fn descriptor(day: u32) -> Descriptor {
    Descriptor {
        day: Day(day),
        request_key: KemSecret::from_seed(&[2; 32]).public(),
        operator: Operator::new(0x0304, "Приют").unwrap(),
        addresses: vec!["a.example:443".parse().unwrap(), "[::1]:4433".parse().unwrap()],
        limits: RelayLimits {
            fetch_envelopes: 64,
            fetch_wait_secs: 60,
            continued_idle_secs: 3600,
            permits: true,
        },
    }
}

/// Signs `body` as the relay would, whatever stands in it.
fn signed(body: &[u8]) -> Vec<u8> {
    [body, &identity().sign(&signed_text(body))].concat()
}

fn body_of(descriptor: &Descriptor) -> Vec<u8> {
    let bytes = descriptor.sign(&identity());
    bytes[..bytes.len() - SIGNATURE_BYTES].to_vec()
}

fn parse(bytes: &[u8]) -> Result<VerifiedDescriptor, DescriptorError> {
    Descriptor::parse_verified(bytes, &identity().pin())
}

#[test]
fn a_descriptor_has_its_bytes() {
    let descriptor = descriptor(0x0102);
    let expected = [
        &[1, 1, 2, 1, 0, 0][..],
        &identity().public_key(),
        descriptor.request_key.as_bytes(),
        &[4, 3, 10],
        "Приют".as_bytes(),
        &[2, 13],
        b"a.example:443",
        &[10],
        b"[::1]:4433",
        &[64, 0, 60, 0, 0x10, 0x0e, 1],
    ]
    .concat();
    assert_eq!(body_of(&descriptor), expected);
    let verified = parse(&descriptor.sign(&identity())).unwrap();
    let operator = &verified.descriptor().operator;
    assert_eq!((operator.id(), operator.name()), (0x0304, "Приют"));
    assert_eq!(format!("{verified:?}"), "VerifiedDescriptor(day 258)");
    assert_eq!(verified.descriptor(), &descriptor);
    assert_eq!(*verified.pin(), identity().pin());
}

#[test]
fn another_relays_descriptor_is_refused() {
    let bytes = descriptor(1).sign(&RelayIdentity::from_seed(&[9; 32]));
    assert_eq!(parse(&bytes), Err(DescriptorError::WrongPin));
}

#[test]
fn a_changed_descriptor_is_refused() {
    let bytes = descriptor(1).sign(&identity());
    for index in (2..bytes.len()).step_by(7) {
        let mut changed = bytes.clone();
        changed[index] ^= 0x10;
        let error = parse(&changed).unwrap_err();
        assert!(
            matches!(error, DescriptorError::BadSignature | DescriptorError::WrongPin),
            "{index}: {error}"
        );
    }
}

#[test]
fn unknown_versions_are_told_apart_from_damage() {
    let mut bytes = descriptor(1).sign(&identity());
    bytes[1] = 2;
    assert_eq!(parse(&bytes), Err(DescriptorError::Version { version: 1, suite: 2 }));
    bytes[0] = 7;
    assert_eq!(parse(&bytes), Err(DescriptorError::Version { version: 7, suite: 2 }));
}

#[test]
fn odd_types_are_skipped_and_even_ones_refused() {
    let body = body_of(&descriptor(1));
    assert!(parse(&signed(&[&body[..], &[5, 1, 0, 9]].concat())).is_ok());
    let error = DecodeError::UnknownType { value: 6 };
    assert_eq!(parse(&signed(&[&body[..], &[6, 0, 0]].concat())), Err(error.into()));
}

#[test]
fn signed_nonsense_is_refused_all_the_same() {
    let body = body_of(&descriptor(1));
    let malformed = |body: &[u8]| match parse(&signed(body)) {
        Err(DescriptorError::Malformed(error)) => error,
        other => panic!("{other:?}"),
    };
    let operator_at = 6 + 32 + PUBLIC_BYTES;
    let mut bad_key = body.clone();
    bad_key[38..1222].fill(0xff);
    assert_eq!(malformed(&bad_key), DecodeError::Invalid { field: "X-Wing public key" });
    let mut bad_name = body.clone();
    bad_name[operator_at + 3] = 0xff;
    assert_eq!(malformed(&bad_name), DecodeError::Invalid { field: "operator name" });
    let mut many = body.clone();
    many[operator_at + 13] = 9;
    assert_eq!(malformed(&many), DecodeError::Invalid { field: "addresses" });
    let mut bad_address = body.clone();
    bad_address[operator_at + 15] = b' ';
    assert_eq!(malformed(&bad_address), DecodeError::Invalid { field: "address" });
    assert!(matches!(malformed(&body[..operator_at]), DecodeError::TooShort { .. }));
    let long = [&body[..], &[5, 0, 16], &[0; 4096]].concat();
    assert!(matches!(malformed(&long), DecodeError::TooLong { .. }));
    assert_eq!(parse(&[0; 3]), Err(DecodeError::TooShort { missing: 61 }.into()));
}

#[test]
fn the_longest_descriptor_fits_its_bound() {
    let address: HostPort = format!("{}a:65535", "a.".repeat(124)).parse().unwrap();
    assert_eq!(address.to_string().len(), 255);
    let operator = Operator::new(0, &"x".repeat(OPERATOR_NAME_BYTES)).unwrap();
    let descriptor = Descriptor { addresses: vec![address; 8], operator, ..descriptor(1) };
    assert_eq!(parse(&descriptor.sign(&identity())).unwrap().descriptor(), &descriptor);
}

#[test]
fn an_operators_name_is_short_and_without_control_characters() {
    assert!(Operator::new(0, &"x".repeat(OPERATOR_NAME_BYTES + 1)).is_err());
    assert!(Operator::new(0, "a\nb").is_err());
}

#[test]
fn the_highest_day_is_kept_and_never_a_lower_one() {
    let verified = |day| parse(&descriptor(day).sign(&identity())).unwrap();
    let mut newest = NewestDescriptor::default();
    assert!(newest.current().is_none());
    newest.take(verified(5)).unwrap();
    newest.take(verified(6)).unwrap();
    assert_eq!(newest.take(verified(5)), Err(Older { day: Day(5), highest: Day(6) }));
    assert_eq!(newest.current().unwrap().descriptor().day, Day(6));
    let mut restarted = NewestDescriptor::since(newest.highest().unwrap());
    assert!(restarted.take(verified(5)).is_err());
    assert!(restarted.take(verified(6)).is_ok());
}

#[test]
fn an_identity_does_not_show_in_debug() {
    let identity = RelayIdentity::generate(&mut ChaCha20Rng::seed_from_u64(1));
    assert_eq!(format!("{identity:?}"), "RelayIdentity(..)");
    assert_eq!(RelayIdentity::from_seed(identity.expose_seed()).pin(), identity.pin());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_parser_survives_any_input(bytes in proptest::collection::vec(any::<u8>(), 0..3000), tail in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&bytes);
        let front = &body_of(&descriptor(1))[..6 + 32 + PUBLIC_BYTES];
        let _ = parse(&signed(&[front, &tail].concat()));
    }
}
