//! One flipped bit anywhere in an envelope: it does not open, nothing panics.

use poterne_protocol::envelope::SealedEnvelope;
use proptest::prelude::*;

use super::specimens;

fn flipped(envelope: &SealedEnvelope, bit: usize) -> SealedEnvelope {
    let mut bytes = *envelope.as_bytes();
    bytes[bit / 8] ^= 1 << (bit % 8);
    SealedEnvelope::parse(&bytes).unwrap()
}

#[test]
fn an_envelope_of_any_type_with_one_flipped_bit_does_not_open() {
    for specimen in specimens(2) {
        for bit in (0..4096 * 8).step_by(509).chain([0, 4096 * 8 - 1]) {
            let envelope = flipped(&specimen.envelope, bit);
            assert!(!(specimen.opens)(&envelope), "{}, bit {bit}", specimen.name);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn any_4096_bytes_are_only_not_ours(bytes in proptest::collection::vec(any::<u8>(), 4096)) {
        let envelope = SealedEnvelope::parse(&bytes).unwrap();
        for specimen in specimens(3) {
            prop_assert!(!(specimen.opens)(&envelope));
        }
    }
}
