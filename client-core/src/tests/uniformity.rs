//! Envelopes look random: chi-square over the bytes of 10,000 of each type.
//!
//! The statistic: each region of 512 bytes of the envelope, and the envelope as a whole, has a histogram of byte values
//! over all envelopes; under uniformity its chi-square has 255 degrees of freedom. A region fails at a p of about 1e-7
//! (above 390), so that the fixed seed passes with room while one constant byte in 512 fails by far. Besides, every
//! single byte position has a coarse histogram of its 4 high bits (15 degrees of freedom), which finds a position that
//! is constant or small. M0's KEM ciphertext is excepted: its ML-KEM part is not uniform by definition.

use poterne_protocol::kem::CIPHERTEXT_BYTES;
use poterne_protocol::limits::ENVELOPE_BYTES;

use super::many;

const ENVELOPES: usize = 10_000;
const REGION_BYTES: usize = 512;
/// p = 1e-7 at 255 degrees of freedom lies near 387.
const REGION_LIMIT: f64 = 390.0;
/// p = 1e-9 at 15 degrees of freedom lies near 73; there are 4,096 positions for each of 9 types.
const POSITION_LIMIT: f64 = 85.0;

struct Histograms {
    regions: Vec<[u64; 256]>,
    positions: Vec<[u32; 16]>,
}

impl Histograms {
    fn of(name: &'static str) -> Self {
        let regions = vec![[0; 256]; ENVELOPE_BYTES / REGION_BYTES];
        let mut histograms = Self { regions, positions: vec![[0; 16]; ENVELOPE_BYTES] };
        many(name, ENVELOPES, |envelope| histograms.add(envelope.as_bytes()));
        histograms
    }

    fn add(&mut self, bytes: &[u8; ENVELOPE_BYTES]) {
        for (place, byte) in bytes.iter().enumerate() {
            self.regions[place / REGION_BYTES][usize::from(*byte)] += 1;
            self.positions[place][usize::from(byte >> 4)] += 1;
        }
    }

    fn check(&self, name: &str, first_byte: usize) {
        for (place, region) in self.regions.iter().enumerate().skip(first_byte.div_ceil(REGION_BYTES)) {
            let chi = chi_square(region.iter().map(|count| *count as f64));
            assert!(chi < REGION_LIMIT, "{name}, region {place}: {chi}");
        }
        for (place, position) in self.positions.iter().enumerate().skip(first_byte) {
            let chi = chi_square(position.iter().map(|count| f64::from(*count)));
            assert!(chi < POSITION_LIMIT, "{name}, byte {place}: {chi}");
        }
    }
}

fn chi_square(counts: impl ExactSizeIterator<Item = f64> + Clone) -> f64 {
    let expected = counts.clone().sum::<f64>() / counts.len() as f64;
    counts.map(|count| (count - expected).powi(2) / expected).sum()
}

fn is_uniform(name: &'static str, first_byte: usize) {
    Histograms::of(name).check(name, first_byte);
}

#[test]
fn ten_thousand_notices_look_random() {
    is_uniform("notice", 0);
}

#[test]
fn ten_thousand_requests_look_random_behind_their_encapsulation() {
    is_uniform("request", CIPHERTEXT_BYTES);
}

#[test]
fn ten_thousand_follow_ups_look_random() {
    is_uniform("follow-up", 0);
}

#[test]
fn ten_thousand_receipts_look_random() {
    is_uniform("claimed", 0);
}

#[test]
fn ten_thousand_answers_look_random() {
    is_uniform("answer", 0);
}

#[test]
fn ten_thousand_messages_look_random() {
    is_uniform("message", 0);
}

#[test]
fn ten_thousand_calls_look_random() {
    is_uniform("lifeline", 0);
}

#[test]
fn ten_thousand_chunks_look_random() {
    is_uniform("attachment", 0);
}

#[test]
fn ten_thousand_log_entries_look_random() {
    is_uniform("desk log", 0);
}

#[test]
fn the_statistic_finds_one_constant_byte() {
    let mut histograms = Histograms { regions: vec![[0; 256]; 8], positions: vec![[0; 16]; ENVELOPE_BYTES] };
    many("claimed", 1000, |envelope| {
        let mut bytes = *envelope.as_bytes();
        bytes[100] = 0;
        histograms.add(&bytes);
    });
    assert!(std::panic::catch_unwind(|| histograms.check("claimed", 0)).is_err());
}
