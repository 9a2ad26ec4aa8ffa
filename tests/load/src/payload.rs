//! What is put: 4096 bytes that tell their run and their number, and of which every byte is known.

/// Bytes of a payload: an envelope.
pub const PAYLOAD_BYTES: usize = 4096;

/// A payload on its way.
pub type Payload = Box<[u8; PAYLOAD_BYTES]>;

/// The payloads of one run.
pub struct Payloads {
    body: Payload,
}

impl Payloads {
    /// The payloads of the run of that number. Those of another run are strangers.
    pub fn of_run(run: u64) -> Self {
        let mut body = Box::new([0; PAYLOAD_BYTES]);
        let mut state = run;
        for eight in body.chunks_mut(8) {
            state = mix(state);
            eight.copy_from_slice(&state.to_le_bytes());
        }
        Self { body }
    }

    /// The payload of that number.
    pub fn make(&self, number: u64) -> Payload {
        let mut payload = self.body.clone();
        payload[..8].copy_from_slice(&number.to_le_bytes());
        payload
    }

    /// The number of a payload that came back; none where it is not what was made.
    pub fn number(&self, bytes: &[u8]) -> Option<u64> {
        let (number, rest) = bytes.split_at_checked(8)?;
        let number = u64::from_le_bytes(number.try_into().ok()?);
        (rest == &self.body[8..]).then_some(number)
    }
}

/// The next of a row of numbers that look like dice: the step and finish of splitmix64.
pub fn mix(state: u64) -> u64 {
    let state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_tells_its_number() {
        let payloads = Payloads::of_run(1);
        assert_eq!(payloads.number(&payloads.make(77)[..]), Some(77));
    }

    #[test]
    fn a_changed_byte_a_missing_byte_and_another_run_are_strangers() {
        let payloads = Payloads::of_run(1);
        let mut spoilt = payloads.make(77);
        spoilt[4095] ^= 1;
        assert_eq!(payloads.number(&spoilt[..]), None);
        assert_eq!(payloads.number(&payloads.make(77)[..4095]), None);
        assert_eq!(payloads.number(&Payloads::of_run(2).make(77)[..]), None);
    }
}
